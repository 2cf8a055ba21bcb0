package table

import (
	"slices"
	"strings"
	"testing"
)

func TestSafe(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Safe(s); got != want {
			t.Errorf("Safe(%q) = %q, want %q", s, got, want)
		}
	}
	f("u-88121", "u-88121")
	f("zoë 日本", "zoë 日本")
	f("a\x1b[2Jb", "a\uFFFD[2Jb")
	f("a\nb\u009b", "a\uFFFDb\uFFFD")
	f("x\u202ey", "x\uFFFDy") // right-to-left override
}

func TestWrap(t *testing.T) {
	f := func(text, indent string, width int, want string) {
		t.Helper()
		if got := strings.Join(Wrap(text, indent, width), "|"); got != want {
			t.Errorf("Wrap(%q) = %q, want %q", text, got, want)
		}
	}
	f("", "", 10, "")
	f("one two three", "", 7, "one two|three")
	f("one two three", "  ", 7, "one two|  three")
	f("verylongword a", "", 4, "very|long|word|a")
	f("a verylongword", " ", 5, "a| very| long| word")
}

func TestFit(t *testing.T) {
	f := func(items []string, width int, want string) {
		t.Helper()
		if got := Fit(items, ", ", width); got != want {
			t.Errorf("Fit(%q, %d) = %q, want %q", items, width, got, want)
		}
	}
	f([]string{"ab", "cd", "ef"}, 8, "ab, cd …")
	f([]string{"ab", "cd", "ef"}, 10, "ab, cd, ef")
	f([]string{"abc"}, 2, "…")
}

func TestCut(t *testing.T) {
	f := func(s string, width int, want string) {
		t.Helper()
		if got := Cut(s, width); got != want {
			t.Errorf("Cut(%q, %d) = %q, want %q", s, width, got, want)
		}
	}
	f("abc", 3, "abc")
	f("abcd", 3, "ab…")
	f("日本語", 4, "日…")
}

func TestGridFitsAndCutsTheFlexible(t *testing.T) {
	g := &Grid{
		Columns: []Column{{Head: "ID"}, {Head: "USER", Flex: true}, {Head: "N", Right: true}, {Head: "MORE", Wide: true}},
		Rows: [][]Text{
			{{S: "1.1.1"}, {S: strings.Repeat("u", 200)}, {S: "1,024"}, {S: "x"}},
			{{S: "2.2.2"}, {S: "v"}, {S: "7"}, {S: "y"}},
		},
	}
	lines := g.Lines(40, Style{})
	for _, l := range lines {
		if Width(l) > 40 {
			t.Errorf("line of %d columns: %q", Width(l), l)
		}
	}
	if want := "2.2.2 v" + strings.Repeat(" ", 28) + "    7"; lines[2] != want {
		t.Errorf("row %q, want %q", lines[2], want)
	}
	if strings.Contains(lines[0], "MORE") || !strings.HasPrefix(lines[1], "1.1.1") {
		t.Errorf("narrow form: %q", lines)
	}
	wide := g.Lines(0, Style{})
	if !strings.HasSuffix(wide[0], "MORE") || !strings.Contains(wide[1], strings.Repeat("u", 200)) {
		t.Errorf("wide form: %q", wide)
	}
}

func TestNextNeverBreaksTheCommand(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if got := Next(in); !slices.Equal(got, want) {
			t.Errorf("Next(%q) = %q, want %q", in, got, want)
		}
	}
	f("1 queue grows: pushctl top --by drain", "1 queue grows: pushctl top --by drain")
	most := strings.Repeat("word ", 12) + "end" // its line has room for a part of the command
	f(most+": pushctl top --by drain", most+":", "  pushctl top --by drain")
	long := strings.Repeat("word ", 15) + "end"
	f(long+": pushctl top --by drain", long+":", "  pushctl top --by drain")
	f(long+" and more without a command", long, "  and more without a command")
}

func TestWrapKeepsNumbersWithTheirUnits(t *testing.T) {
	f := func(in string, width int, want ...string) {
		t.Helper()
		if got := Wrap(in, "  ", width); !slices.Equal(got, want) {
			t.Errorf("Wrap(%q) = %q, want %q", in, got, want)
		}
	}
	f("window full 100 % of 2 s, lost", 15, "window full", "  100 % of 2 s,", "  lost")
	f("took 12,400 KB/s.", 14, "took", "  12,400 KB/s.")
	f("all 3 of 4", 5, "all 3", "  of", "  4")
	f("1 2 3 %", 5, "1 2", "  3 %")
	f("at 7", 80, "at 7")
	f("", 80)
}
