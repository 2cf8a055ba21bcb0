package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pushfleet/internal/knob"
)

func TestGroupsCountByLoop(t *testing.T) {
	b := newBench(t, 100, "groups.max", "2")
	defer b.close()
	f := func(name string, members int64, loops ...int) {
		t.Helper()
		idx, n, on, ok := b.GroupLookup([]byte(name))
		if ok != (members > 0) || n != members || ok && b.GroupName(idx) != name {
			t.Errorf("%s: index %d, %d members, %v; want %d", name, idx, n, ok, members)
		}
		for l := range 4 {
			if on.Has(l) != slices.Contains(loops, l) {
				t.Errorf("%s: loop %d is %v", name, l, on.Has(l))
			}
		}
	}
	join := func(name string, loop int) uint32 {
		t.Helper()
		idx, err := b.GroupJoin(name, loop)
		if err != nil {
			t.Fatal(err)
		}
		return idx
	}
	f("g", 0)
	g := join("g", 3)
	if again := join("g", 1); again != g || join("g", 1) != again {
		t.Fatal("one group has two indices")
	}
	f("g", 3, 1, 3)
	b.GroupLeave(g, 3)
	f("g", 2, 1)
	join("k", 0)
	if _, err := b.GroupJoin("third", 0); !errors.Is(err, ErrGroups) {
		t.Errorf("a third group of two: %v", err)
	}
	if _, err := b.GroupJoin(strings.Repeat("x", 256), 0); !errors.Is(err, ErrGroupName) {
		t.Errorf("a long name: %v", err)
	}
	b.GroupLeave(g, 1)
	b.GroupLeave(g, 1)
	b.GroupLeave(g, 1) // once more than joined
	f("g", 0)
	if again := join("g", 2); again == g {
		t.Error("the index of a group that ended is used again at once")
	}
	if b.Len() != 2 {
		t.Errorf("%d groups, want 2", b.Len())
	}
}

func newMembers() *Members { return NewMembers(NewKnobs(knob.NewRegistry())) }

// Connections join and leave while several walks are under way.
func TestMembersModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMembers()
		heads := map[uint32]GLink{}
		in := map[uint32]map[uint32]bool{1: {}, 2: {}, 3: {}} // group → slots
		type walk struct {
			group, cursor uint32
			must, seen    map[uint32]bool // must shrinks when members leave
			joined        map[uint32]bool // may not be seen, unless they left before
		}
		var walks []*walk
		group := rapid.Uint32Range(1, 3)
		slot := rapid.Uint32Range(0, 12)
		leave := func(g, s uint32) {
			delete(in[g], s)
			for _, w := range walks {
				if w.group == g {
					delete(w.must, s)
					delete(w.joined, s)
				}
			}
		}
		step := func(w *walk, n int) (done bool) {
			w.cursor, done = m.Walk(w.group, w.cursor, n, func(s uint32) {
				if !in[w.group][s] || w.joined[s] {
					t.Fatalf("group %d: slot %d is no member that the walk may see", w.group, s)
				}
				if w.seen[s] {
					t.Fatalf("group %d: slot %d twice", w.group, s)
				}
				w.seen[s] = true
			})
			if done {
				for s := range w.must {
					if !w.seen[s] {
						t.Fatalf("group %d: slot %d skipped", w.group, s)
					}
				}
			}
			return done
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				n := 0
				for _, s := range in {
					n += len(s)
				}
				if m.Len() != int64(n) {
					t.Fatalf("%d members, want %d", m.Len(), n)
				}
			},
			"add": func(t *rapid.T) {
				g, s := group.Draw(t, "group"), slot.Draw(t, "slot")
				head, already, err := m.Add(g, s, heads[s])
				if err != nil || already != in[g][s] {
					t.Fatalf("Add = %v, %v; want %v", already, err, in[g][s])
				}
				heads[s] = head
				if !already {
					in[g][s] = true
					for _, w := range walks {
						if w.group == g {
							w.joined[s] = true
							delete(w.seen, s)
						}
					}
				}
			},
			"remove": func(t *rapid.T) {
				g, s := group.Draw(t, "group"), slot.Draw(t, "slot")
				head, was := m.Remove(g, s, heads[s])
				if was != in[g][s] {
					t.Fatalf("Remove = %v, want %v", was, in[g][s])
				}
				heads[s] = head
				leave(g, s)
			},
			"drop": func(t *rapid.T) {
				s := slot.Draw(t, "slot")
				m.DropAll(s, heads[s], func(g uint32) {
					if !in[g][s] {
						t.Fatalf("dropped from group %d without being a member", g)
					}
					leave(g, s)
				})
				delete(heads, s)
			},
			"walk": func(t *rapid.T) {
				w := &walk{group: group.Draw(t, "group"), must: map[uint32]bool{}, seen: map[uint32]bool{}, joined: map[uint32]bool{}}
				for s := range in[w.group] {
					w.must[s] = true
				}
				if !step(w, rapid.IntRange(1, 3).Draw(t, "n")) {
					walks = append(walks, w)
				}
			},
			"on": func(t *rapid.T) {
				if len(walks) == 0 {
					t.Skip("no walk")
				}
				i := rapid.IntRange(0, len(walks)-1).Draw(t, "walk")
				if step(walks[i], rapid.IntRange(1, 4).Draw(t, "n")) {
					walks = slices.Delete(walks, i, i+1)
				}
			},
			"stop": func(t *rapid.T) {
				if len(walks) == 0 {
					t.Skip("no walk")
				}
				m.Stop(walks[0].group)
				walks = walks[1:]
			},
		})
		for _, w := range walks {
			for !step(w, 5) {
			}
		}
		for s, head := range heads {
			m.DropAll(s, head, func(uint32) {})
		}
		free := uint32(0)
		for i := m.free; i != 0; i = m.rec(i).next {
			free++
		}
		if len(m.rolls) != 0 || m.Len() != 0 || free != m.high {
			t.Fatalf("left: %d groups, %d members, %d of %d records free", len(m.rolls), m.Len(), free, m.high)
		}
	})
}

func TestMembersBoundAndList(t *testing.T) {
	reg := knob.NewRegistry()
	k := NewKnobs(reg)
	if _, err := reg.Set("conn.groups_max", "2", "test", ""); err != nil {
		t.Fatal(err)
	}
	m := NewMembers(k)
	var head GLink
	for g := uint32(1); g <= 2; g++ {
		head, _, _ = m.Add(g, 9, head)
	}
	if _, _, err := m.Add(3, 9, head); !errors.Is(err, ErrConnGroups) {
		t.Errorf("a third group of two: %v", err)
	}
	if got := fmt.Sprint(m.Groups(head)); got != "[2 1]" {
		t.Errorf("groups = %s", got)
	}
	for i := range uint32(10_000) { // over several chunks
		if _, _, err := m.Add(5, i+100, 0); err != nil {
			t.Fatal(err)
		}
	}
	n, cursor, done := 0, uint32(0), false
	for !done {
		cursor, done = m.Walk(5, cursor, 64, func(uint32) { n++ })
	}
	if n != 10_000 {
		t.Errorf("walked over %d members, want 10000", n)
	}
}
