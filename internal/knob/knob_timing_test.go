package knob

import "testing"

var sink int64

// BenchmarkGet against BenchmarkPlainLoad is the price of a knob over a
// constant in memory.
func BenchmarkGet(b *testing.B) {
	n := NewRegistry().Int(Spec{Name: "queue.messages_max"}, 512, 1, 65536)
	b.ReportAllocs()
	var sum int64
	for b.Loop() {
		sum += n.Get()
	}
	sink = sum
}

func BenchmarkPlainLoad(b *testing.B) {
	n := new(int64)
	*n = 512
	var sum int64
	for b.Loop() {
		sum += *n
	}
	sink = sum
}

func BenchmarkSet(b *testing.B) {
	r := NewRegistry()
	r.Bytes(Spec{Name: "queue.bytes_max"}, 0, 0, 1<<30)
	texts := [2]string{"64KiB", "1.5MiB"}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := r.Set("queue.bytes_max", texts[i&1], "admin", ""); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
