package ws

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"pushfleet/pushd/wire/ws/wstest"
)

const fuzzLimit = 1 << 16

// FuzzDecoder compares with a decoder built on gobwas/ws, frame by frame over
// the whole input: same messages and control frames, or both refuse. How the
// input is cut must not matter, except that ours refuses broken text earlier.
func FuzzDecoder(f *testing.F) {
	for i, s := range wstest.All() {
		if b := bytes.Join(s.Send, nil); i%5 == 0 && len(b) < 500 {
			f.Add(b, uint16(i))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, chop uint16) {
		want, refused := reference(in)
		for _, size := range []int{len(in) + 1, 1 + int(chop)%97, 1} {
			got, err := decodeChopped(in, size)
			if (err != nil) != refused || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("in pieces of %d: %q, error %v; want %q, refused %v", size, got, err, want, refused)
			}
		}
	})
}

// decodeChopped returns the complete messages and control frames.
func decodeChopped(stream []byte, size int) (list []string, _ *Error) {
	var (
		d             Decoder
		held, message []byte
	)
	for len(stream) > 0 {
		n := min(size, len(stream))
		held, stream = append(held, stream[:n]...), stream[n:]
		for {
			ev, payload, used, err := d.Next(held, fuzzLimit)
			if err != nil {
				return list, err
			}
			if ev == Data || ev == End {
				message = append(message, payload...)
			}
			switch {
			case ev == End && d.Binary():
				list, message = append(list, "binary "+string(message)), nil
			case ev == End:
				list, message = append(list, "text "+string(message)), nil
			case ev == Ping || ev == Pong || ev == Close:
				list = append(list, ev.String()+" "+string(payload))
			}
			if held = held[used:]; ev == More {
				break
			}
		}
	}
	return list, nil
}

// reference decodes with gobwas/ws. refused says that what comes next, whole
// or not, can never become a valid frame.
func reference(in []byte) (list []string, refused bool) {
	r := bytes.NewReader(in)
	var (
		state   ws.State = ws.StateServerSide
		kind    string
		message []byte
	)
	for {
		at := len(in) - r.Len()
		h, err := ws.ReadHeader(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return list, refusesPart(in[at:], state, len(message))
		}
		if err != nil || refusesHeader(h, in[at:], state, len(message)) {
			return list, true
		}
		payload := make([]byte, min(h.Length, int64(r.Len())))
		io.ReadFull(r, payload)
		ws.Cipher(payload, h.Mask, 0)
		whole := int64(len(payload)) == h.Length
		if h.OpCode.IsControl() {
			if !whole {
				return list, false
			}
			if h.OpCode == ws.OpClose {
				if refusesClose(payload) {
					return list, true
				}
				return append(list, "close "+string(payload)), false
			}
			list = append(list, map[ws.OpCode]string{ws.OpPing: "ping ", ws.OpPong: "pong "}[h.OpCode]+string(payload))
			continue
		}
		if !state.Fragmented() {
			kind, message = map[ws.OpCode]string{ws.OpText: "text ", ws.OpBinary: "binary "}[h.OpCode], nil
		}
		message = append(message, payload...)
		complete := whole && h.Fin
		if kind == "text " && !validSoFar(message, complete) {
			return list, true
		}
		if !whole {
			return list, false
		}
		state = state.Set(ws.StateFragmented)
		if complete {
			state = state.Clear(ws.StateFragmented)
			list = append(list, kind+string(message))
		}
	}
}

func refusesHeader(h ws.Header, raw []byte, state ws.State, open int) bool {
	if ws.CheckHeader(h, state) != nil || !h.Masked {
		return true
	}
	form := raw[1] & 0x7f
	if form == 126 && h.Length < 126 || form == 127 && h.Length <= 0xffff {
		return true
	}
	if !state.Fragmented() {
		open = 0
	}
	return !h.OpCode.IsControl() && int64(open)+h.Length > fuzzLimit
}

// refusesPart completes a partial header in the way that is most likely taken:
// a decoder judges a length only when all of its bytes are there, so a partial
// one counts as none.
func refusesPart(raw []byte, state ws.State, open int) bool {
	if len(raw) == 0 {
		return false
	}
	if len(raw) == 1 {
		raw = []byte{raw[0], 0x80}
	}
	fill := append(bytes.Clone(raw), make([]byte, 14)...)
	if need := map[byte]int{126: 4, 127: 10}[raw[1]&0x7f]; len(raw) < need {
		if raw[0]&0x08 != 0 {
			return true // a control frame never has a long length
		}
		fill[1] &= 0x80
	}
	h, err := ws.ReadHeader(bytes.NewReader(fill))
	return err != nil || refusesHeader(h, fill, state, open)
}

func refusesClose(payload []byte) bool {
	if len(payload) == 0 {
		return false
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if code >= 1012 && code <= 1014 {
		return !utf8.ValidString(reason) // registered after gobwas/ws drew its list
	}
	return len(payload) == 1 || ws.CheckCloseFrameData(code, reason) != nil || code >= 5000
}

// validSoFar says whether text can still become valid UTF-8.
func validSoFar(b []byte, complete bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !complete && !utf8.FullRune(b)
		}
		b = b[n:]
	}
	return true
}
