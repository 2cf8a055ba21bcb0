package teewire

import "testing"

// What a flush costs the loop that tells of it.
func BenchmarkAppendOut(b *testing.B) {
	var batch Batch
	o := Out{Conn: 7, Frames: 1, Bytes: 240}
	for i := 0; b.Loop(); i++ {
		if o.At = int64(i) * 1000; batch.Len() > 128<<10 {
			batch.Seal()
			batch.Reset()
		}
		batch.Out(&o)
	}
}

func BenchmarkAppendPublish(b *testing.B) {
	var batch Batch
	m := Message{User: []byte("u-12345"), Data: make([]byte, 200)}
	for b.Loop() {
		if batch.Len() > 128<<10 {
			batch.Seal()
			batch.Reset()
		}
		batch.Publish(&m)
	}
}
