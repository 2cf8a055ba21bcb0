package e2e

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The judge itself is judged: it must know what cannot be.
func TestKnobModel(t *testing.T) {
	op := func(began, ended int64, in asked, out told) porcupine.Operation {
		in.knob = "k"
		return porcupine.Operation{ClientId: int(began), Input: in, Output: out, Call: began, Return: ended}
	}
	set := func(began, ended int64, v string, rev uint64) porcupine.Operation {
		return op(began, ended, asked{verb: verbSet, value: v}, told{revision: rev})
	}
	open := func(began int64, v string) porcupine.Operation {
		return op(began, ever, asked{verb: verbSet, value: v}, told{open: true})
	}
	get := func(began, ended int64, v string, rev uint64) porcupine.Operation {
		return op(began, ended, asked{verb: verbGet}, told{value: v, revision: rev})
	}
	cas := func(began, ended int64, v string, since uint64, out told) porcupine.Operation {
		return op(began, ended, asked{verb: verbCAS, value: v, since: since}, out)
	}
	f := func(what string, want bool, ops ...porcupine.Operation) {
		t.Helper()
		if got := porcupine.CheckOperations(knobModel(), ops); got != want {
			t.Errorf("%s: linearizable %v, want %v", what, got, want)
		}
	}
	f("a read sees the write", true, set(1, 2, "a", 5), get(3, 4, "a", 5))
	f("a read after the write misses it", false, set(1, 2, "a", 5), get(3, 4, "", 0))
	f("a read beside the write misses it", true, set(1, 4, "a", 5), get(2, 3, "", 0))
	f("reads go back", false, set(1, 2, "a", 5), set(3, 6, "b", 7), get(3, 4, "b", 7), get(5, 6, "a", 5))
	f("a read of another revision", false, set(1, 2, "a", 5), get(3, 4, "a", 6))
	f("revisions go back", false, set(1, 2, "a", 5), set(3, 4, "b", 4))
	f("an open write is seen later", true, set(1, 2, "a", 5), open(3, "b"), get(4, 5, "a", 5), get(6, 7, "b", 9))
	f("an open write is never seen", true, set(1, 2, "a", 5), open(3, "b"), get(4, 5, "a", 5))
	f("an open write is seen and gone", false, set(1, 2, "a", 5), open(3, "b"), get(4, 5, "b", 6), get(6, 7, "a", 5))
	f("a value that nobody wrote", false, set(1, 2, "a", 5), get(3, 4, "b", 6))
	f("cas on what was seen", true, set(1, 2, "a", 5), cas(3, 4, "b", 5, told{revision: 6}), get(5, 6, "b", 6))
	f("cas although it had changed", false, set(1, 2, "a", 5), set(3, 4, "b", 7), cas(5, 6, "c", 5, told{revision: 8}))
	f("cas refused although it had not", false, set(1, 2, "a", 5), cas(3, 4, "b", 5, told{refused: true}))
	f("cas refused after an open write", true, set(1, 2, "a", 5), open(3, "x"), cas(4, 5, "b", 5, told{refused: true}))
	f("cas refused, and yet seen", false, set(1, 2, "a", 5), set(3, 4, "x", 6), cas(5, 6, "b", 5, told{refused: true}), get(7, 8, "b", 7))
}
