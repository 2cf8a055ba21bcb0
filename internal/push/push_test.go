package push

import "testing"

func TestHandleText(t *testing.T) {
	f := func(h Handle, want string) {
		t.Helper()
		if got := h.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		back, err := ParseHandle(want)
		if err != nil || back != h {
			t.Errorf("ParseHandle(%q) = %v, %v; want %v", want, back, err, h)
		}
	}
	f(MakeHandle(0, 3, 0x1f20, 2), "3.1f20.2")
	f(MakeHandle(7, 0, 0, 1), "7:0.0.1")
	f(MakeHandle(65535, LoopMax, SlotMax, 65535), "65535:255.ffffff.65535")
}

func TestParseHandleRefuses(t *testing.T) {
	for _, s := range []string{"", "1", "1.2", "1.2.3.4", "256.0.1", "0.1000000.1", "0.0.65536", "x:0.0.1", "0.0.-1"} {
		if h, err := ParseHandle(s); err == nil {
			t.Errorf("ParseHandle(%q) = %v, want an error", s, h)
		}
	}
}

func TestNamesAreCompleteAndParse(t *testing.T) {
	for c := CloseReason(0); c < CloseReasonCount; c++ {
		if back, err := ParseCloseReason(c.String()); err != nil || back != c {
			t.Errorf("close reason %d: %q does not parse back: %v", c, c, err)
		}
		if c.Code() == 0 {
			t.Errorf("close reason %s has no close code", c)
		}
	}
	for d := DropReason(0); d < DropReasonCount; d++ {
		if back, err := ParseDropReason(d.String()); err != nil || back != d {
			t.Errorf("drop reason %d: %q does not parse back: %v", d, d, err)
		}
	}
	if _, err := ParseClass("urgent"); err == nil {
		t.Error("ParseClass took a class that does not exist")
	}
}
