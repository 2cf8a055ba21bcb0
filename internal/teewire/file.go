package teewire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// A recording is one file, or a folder of files that follow one another. Each
// stands by itself: a head that says whose traffic it is, blocks of batches,
// and behind the last one an index of the blocks by time, unless whoever wrote
// it was killed. FORMAT.md has every byte.
const (
	fileMagic    = "pushtees"
	fileVersion  = 1
	blockMagic   = "TBLK"
	indexMagic   = "TIDX"
	trailerMagic = "pushteei"

	fileHeadBytes  = 32
	blockHeadBytes = 48
	indexHeadBytes = 16
	entryBytes     = 32
	trailerBytes   = 24
)

// Bounds of files. A reader refuses what is beyond.
const (
	FileHeadMax    = 64 << 10            // of the batch that says whose traffic it is
	BlockMax       = BatchMax + 2<<20    // of a block before it is packed
	blockPackedMax = BlockMax + 64<<10   // and after: what cannot be packed grows a little
	EntriesMax     = 1 << 20             // blocks in one file
	FileEnd        = ".tee"              // of the names of all files
	blockBytes     = 1 << 20             // a block is written when it is so large,
	blockTime      = int64(1000_000_000) // or covers so many ns
)

var le = binary.LittleEndian

func sum(parts ...[]byte) uint32 {
	var s uint32
	for _, p := range parts {
		s = crc32.Update(s, castagnoli(), p)
	}
	return s
}

// fileHead is what a file begins with.
type fileHead struct {
	number    uint32 // of the file in its recording, from 1
	recording uint64 // the same in all its files
	head      []byte // a batch with the one record Head
}

func (h *fileHead) append(b []byte) []byte {
	at := len(b)
	b = append(b, fileMagic...)
	b = le.AppendUint32(b, fileVersion)
	b = le.AppendUint32(b, h.number)
	b = le.AppendUint64(b, h.recording)
	b = le.AppendUint32(b, uint32(len(h.head)))
	b = le.AppendUint32(b, sum(b[at:], h.head))
	return append(b, h.head...)
}

// parseFileHead reads the fixed part; rest is the length of the batch behind
// it, and want its sum with this part.
func parseFileHead(b []byte) (h fileHead, rest int, want uint32, err error) {
	if len(b) < fileHeadBytes && strings.HasPrefix(fileMagic, string(b[:min(len(b), len(fileMagic))])) {
		return h, 0, 0, short("its head is cut off")
	}
	if len(b) < fileHeadBytes || string(b[:8]) != fileMagic {
		return h, 0, 0, bad("no recording: it does not begin with %q", fileMagic)
	}
	if v := le.Uint32(b[8:]); v != fileVersion { // nothing is damaged
		return h, 0, 0, fmt.Errorf("%w: a recording of version %d, this program knows %d", ErrFormat, v, fileVersion)
	}
	h.number, h.recording = le.Uint32(b[12:]), le.Uint64(b[16:])
	if n := le.Uint32(b[24:]); n > FileHeadMax {
		return h, 0, 0, bad("a head of %d bytes; there are at most %d", n, FileHeadMax)
	} else {
		rest = int(n)
	}
	if h.number == 0 {
		return h, 0, 0, bad("file number 0")
	}
	return h, rest, le.Uint32(b[28:]), nil
}

// entry is one block: where it is, and which times of which records it holds.
type entry struct {
	offset      int64
	first, last int64 // ns of the node's clock; records are not in the order of time
	records     uint32
}

func (e *entry) append(b []byte) []byte {
	b = le.AppendUint64(b, uint64(e.offset))
	b = le.AppendUint64(b, uint64(e.first))
	b = le.AppendUint64(b, uint64(e.last))
	b = le.AppendUint32(b, e.records)
	return le.AppendUint32(b, 0)
}

func parseEntry(b []byte) entry {
	return entry{int64(le.Uint64(b)), int64(le.Uint64(b[8:])), int64(le.Uint64(b[16:])), le.Uint32(b[24:])}
}

// blockHead is what stands before a block's packed batches.
type blockHead struct {
	packed, raw uint32 // bytes
	batches     uint32
	first, last int64
	records     uint32
	sum         uint32 // of the packed bytes
}

func (h *blockHead) append(b []byte) []byte {
	at := len(b)
	b = append(b, blockMagic...)
	b = le.AppendUint32(b, h.packed)
	b = le.AppendUint32(b, h.raw)
	b = le.AppendUint32(b, h.batches)
	b = le.AppendUint64(b, uint64(h.first))
	b = le.AppendUint64(b, uint64(h.last))
	b = le.AppendUint32(b, h.records)
	b = le.AppendUint32(b, h.sum)
	b = le.AppendUint32(b, 0)
	return le.AppendUint32(b, sum(b[at:]))
}

func parseBlockHead(b []byte) (h blockHead, err error) {
	if len(b) < blockHeadBytes || string(b[:4]) != blockMagic {
		return h, bad("no block where one should begin")
	}
	if sum(b[:blockHeadBytes-4]) != le.Uint32(b[blockHeadBytes-4:]) {
		return h, bad("the sum of a block's head is wrong")
	}
	h = blockHead{packed: le.Uint32(b[4:]), raw: le.Uint32(b[8:]), batches: le.Uint32(b[12:]),
		first: int64(le.Uint64(b[16:])), last: int64(le.Uint64(b[24:])), records: le.Uint32(b[32:]), sum: le.Uint32(b[36:])}
	if h.packed > blockPackedMax || h.raw > BlockMax {
		return h, bad("a block of %d bytes, %d packed; there are at most %d", h.raw, h.packed, BlockMax)
	}
	return h, nil
}

// appendIndex appends the index and the trailer; at is where the index begins.
func appendIndex(b []byte, es []entry, at int64) []byte {
	start := len(b)
	b = append(b, indexMagic...)
	b = le.AppendUint32(b, uint32(len(es)))
	b = le.AppendUint64(b, 0) // the sum, below
	for i := range es {
		b = es[i].append(b)
	}
	le.PutUint32(b[start+8:], sum(b[start+indexHeadBytes:]))
	end := len(b)
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, uint32(len(es)))
	b = le.AppendUint32(b, sum(b[end:]))
	return append(b, trailerMagic...)
}

func indexBytes(entries int) int64 {
	return indexHeadBytes + int64(entries)*entryBytes + trailerBytes
}

// parseTrailer says where the index is.
func parseTrailer(b []byte) (at int64, entries int, ok bool) {
	if len(b) != trailerBytes || string(b[16:]) != trailerMagic || sum(b[:12]) != le.Uint32(b[12:]) {
		return 0, 0, false
	}
	at, n := int64(le.Uint64(b)), le.Uint32(b[8:])
	return at, int(n), at >= 0 && n <= EntriesMax
}

// parseIndex reads the index without the trailer. Blocks lie one behind the
// other from begin to end.
func parseIndex(b []byte, begin, end int64) ([]entry, bool) {
	if len(b) < indexHeadBytes || string(b[:4]) != indexMagic {
		return nil, false
	}
	n := int(le.Uint32(b[4:]))
	if len(b) != indexHeadBytes+n*entryBytes || sum(b[indexHeadBytes:]) != le.Uint32(b[8:]) {
		return nil, false
	}
	es := make([]entry, 0, n)
	at := begin
	for i := range n {
		e := parseEntry(b[indexHeadBytes+i*entryBytes:])
		if e.offset < at || e.offset > end-blockHeadBytes || e.first > e.last || i == 0 && e.offset != begin {
			return nil, false
		}
		at = e.offset + blockHeadBytes
		es = append(es, e)
	}
	return es, true
}

// survey looks at a whole batch without decoding its records: their number and
// the earliest and latest time.
func survey(b []byte) (first, last int64, records uint32, err error) {
	if len(b) < HeadBytes || int(le.Uint32(b)) != len(b)-HeadBytes || len(b)-HeadBytes > BatchMax {
		return 0, 0, 0, bad("a batch's length is wrong")
	}
	if sum(b[8:]) != le.Uint32(b[4:]) {
		return 0, 0, 0, bad("a batch's sum is wrong")
	}
	records = le.Uint32(b[8:])
	base := int64(le.Uint64(b[16:]))
	rest := b[HeadBytes:]
	for i := range records {
		if len(rest) < recordHead {
			return 0, 0, 0, bad("a record is cut off")
		}
		n := int(rest[1]) | int(rest[2])<<8 | int(rest[3])<<16
		v, m := binary.Varint(rest[recordHead:])
		if n > len(rest)-recordHead || m <= 0 || m > n {
			return 0, 0, 0, bad("a record is cut off")
		}
		at := base + v
		if i == 0 {
			first, last = at, at
		}
		first, last = min(first, at), max(last, at)
		rest = rest[recordHead+n:]
	}
	if records == 0 || len(rest) > 0 {
		return 0, 0, 0, bad("a batch of %d records has %d bytes too many", records, len(rest))
	}
	return first, last, records, nil
}
