package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The types of frames.
const (
	frameHeader = 'H' // a schema
	frameKey    = 'K' // a record by itself
	frameDelta  = 'D' // a record as what differs from the one before
	frameMark   = 'M' // a mark
)

// frameMax bounds the payload of a frame, in bytes. A schema is the longest;
// 2,000 fields fit.
const frameMax = 256 << 10

// frameHead is the most that stands before a payload: type and length.
const frameHead = 1 + binary.MaxVarintLen32

// frameTail is the length of the checksum.
const frameTail = 4

var (
	errShort = errors.New("the frame is cut off")
	errFrame = errors.New("the frame is damaged")
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendFrame adds a frame around a payload.
func appendFrame(b []byte, kind byte, payload []byte) []byte {
	at := len(b)
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(payload)))
	b = append(b, payload...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli()))
}

// frameSize reads a frame's head: where its payload begins and how long it is.
func frameSize(b []byte) (head, payload int, err error) {
	if len(b) < 2 {
		return 0, 0, errShort
	}
	switch b[0] {
	case frameHeader, frameKey, frameDelta, frameMark:
	default:
		return 0, 0, errFrame
	}
	n, used := binary.Uvarint(b[1:min(len(b), frameHead)])
	switch {
	case used == 0 && len(b) < frameHead:
		return 0, 0, errShort
	case used <= 0 || n > frameMax:
		return 0, 0, errFrame
	}
	return 1 + used, int(n), nil
}

// cutFrame reads the frame at the begin of b, and how many bytes it takes.
func cutFrame(b []byte) (kind byte, payload []byte, size int, err error) {
	head, n, err := frameSize(b)
	if err != nil {
		return 0, nil, 0, err
	}
	size = head + n + frameTail
	if len(b) < size {
		return 0, nil, size, errShort
	}
	if crc32.Checksum(b[:head+n], castagnoli()) != binary.LittleEndian.Uint32(b[head+n:]) {
		return 0, nil, 0, errFrame
	}
	return b[0], b[head : head+n], size, nil
}
