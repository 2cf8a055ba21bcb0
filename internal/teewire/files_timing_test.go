package teewire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// traffic is a second of what a tap sends for 2,000 connections: each gets a
// message of 200 bytes, as redaction leaves it, in ten batches of one source each.
func traffic(second int) [][]byte {
	var out [][]byte
	for part := range 10 {
		var b Batch
		b.Source = uint32(part)
		at := int64(second)*1e9 + int64(part)*1e8
		if second == 0 && part == 0 {
			b.Head(someHead())
		}
		for i := range 200 {
			conn := part*200 + i
			data := fmt.Sprintf(`{"order":%d,"price":%d.%02d,"note":"%s"}`, second*2000+conn, conn*7919%1000, i%100, bytes.Repeat([]byte("x"), 120))
			b.Publish(&Message{At: at + int64(i)*1000, User: fmt.Appendf(nil, "user-%d", conn), ID: fmt.Appendf(nil, "m%d-%d", second, conn), Data: []byte(data)})
			b.Out(&Out{At: at + int64(i)*1000 + 500, Conn: uint64(conn), Frames: 1, Bytes: 240})
		}
		out = append(out, slices.Clone(b.Seal()))
	}
	return out
}

// cpu is the processor time of this process in seconds: the machine may be busy.
func cpu(b *testing.B) float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func BenchmarkRecord(b *testing.B) {
	var raw int64
	w, err := Create(filepath.Join(b.TempDir(), "r"), WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	all := make([][][]byte, 20)
	for i := range all {
		all[i] = traffic(i)
	}
	began := cpu(b)
	for i := 0; b.Loop(); i++ {
		for _, batch := range all[i%len(all)] {
			raw += int64(len(batch))
			if err := w.Write(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(raw)/1e6/(cpu(b)-began), "MB/cpu-s")
	b.ReportMetric(float64(raw)/float64(w.Bytes()), "times-smaller")
}

// recordedTraffic is a recording of 100 such seconds; raw is its size in bytes
// before it was packed.
func recordedTraffic(b *testing.B) (f *Files, raw int64) {
	path := filepath.Join(b.TempDir(), "r")
	w, err := Create(path, WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		for _, batch := range traffic(i) {
			raw += int64(len(batch))
			if err := w.Write(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if f, err = OpenFiles(path); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f, raw
}

func BenchmarkReplay(b *testing.B) {
	f, raw := recordedTraffic(b)
	began := cpu(b)
	for b.Loop() {
		f.Rewind()
		for r := NewReader(f); ; {
			if _, _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(raw)*float64(b.N)/1e6/(cpu(b)-began), "MB/cpu-s")
}

// BenchmarkSeek goes to the end, for which all before is read.
func BenchmarkSeek(b *testing.B) {
	f, raw := recordedTraffic(b)
	began := cpu(b)
	for b.Loop() {
		if err := f.SeekTo(b.Context(), 1<<62); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(raw)*float64(b.N)/1e6/(cpu(b)-began), "MB/cpu-s")
}
