package receipt

import (
	"testing"

	"pushfleet/internal/push"
)

func BenchmarkSettle(b *testing.B) {
	tab := NewTable(16)
	r := tab.Open()
	id := r.ID()
	b.ReportAllocs()
	for b.Loop() {
		r.Expect(1)
		tab.Settle(id, push.DropNone, 1)
	}
}
