package drive

import (
	"fmt"
	"testing"

	"pushfleet/internal/teewire"
)

// However many users are torn, all connections are looked at once a turn; one
// that is met before has left by then.
func TestTornUsersLeaveTogether(t *testing.T) {
	d := &Driver{conns: map[uint64]*mirrored{}, users: map[string]bool{}}
	const conns, torn = 100, 60
	for i := range uint64(conns) {
		d.conns[i] = &mirrored{id: i, state: stateOpen, users: []string{"a", fmt.Sprint("u", i)}}
	}
	for i := range torn {
		d.tornBy(&record{kind: teewire.KindTorn, body: &teewire.Torn{User: fmt.Sprint("u", i)}})
	}
	if d.books.torn != 0 {
		t.Errorf("%d have left one by one", d.books.torn)
	}
	if c, w := d.known(7); c != nil || w != dropTorn || d.books.torn != 1 {
		t.Errorf("met: %v, %s, %d torn", c, w, d.books.torn)
	}
	if c, _ := d.known(torn); c == nil {
		t.Error("one without a hole has left")
	}
	d.tearUsers()
	if d.books.torn != torn || d.tearing {
		t.Errorf("%d of %d torn", d.books.torn, torn)
	}
}
