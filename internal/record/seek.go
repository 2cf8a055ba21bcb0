package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"io/fs"
)

// seek finds where reading a file may begin for a query from that time (ms
// since 1970): the schema, and the last record that stands by itself before
// the first one of the span. Frames are stepped over, not decoded. Behind
// damage it begins where the damage is, so that the decoder tells of it.
func seek(text []byte, from int64) (head, rest []byte) {
	at, key, now := 0, -1, int64(0)
	for at < len(text) {
		kind, payload, size, err := cutFrame(text[at:])
		if err != nil {
			break
		}
		switch kind {
		case frameHeader:
			if at > 0 {
				return nil, text // several in one, as in a stream
			}
			head = text[:size]
		case frameMark:
		default:
			step, n := binary.Varint(payload)
			if n <= 0 {
				return nil, text
			}
			if kind == frameKey {
				now = 0
			}
			if now += step; now >= from {
				return head, text[max(key, len(head)):] // all, if it begins within the span
			}
			if kind == frameKey {
				key = at
			}
		}
		at += size
	}
	return head, text[max(key, len(head)):]
}

// firstMax is how much of a file is read to find its first record, in bytes:
// the longest schema and more.
const firstMax = frameMax + 64<<10

// firstAt is the time of a file's first record or mark, 0 if none can be read.
func firstAt(fsys fs.FS, name string, buf *bytes.Buffer) int64 {
	f, err := fsys.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	buf.Reset()
	for most := int64(32 << 10); ; most = firstMax {
		if _, err := buf.ReadFrom(io.LimitReader(f, most-int64(buf.Len()))); err != nil {
			return 0
		}
		if at := firstTime(buf.Bytes()); at != 0 || most == firstMax {
			return at
		}
	}
}

// firstTime is the time of the first record that stands by itself, or of a
// mark before it.
func firstTime(text []byte) int64 {
	for at := 0; at < len(text); {
		kind, payload, size, err := cutFrame(text[at:])
		if err != nil {
			at++ // damage: look for the next frame
			continue
		}
		at += size
		switch kind {
		case frameMark:
			var m Mark
			if json.Unmarshal(payload, &m) == nil && m.At != 0 {
				return m.At
			}
		case frameKey:
			if v, n := binary.Varint(payload); n > 0 {
				return v
			}
		}
	}
	return 0
}
