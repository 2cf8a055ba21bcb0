package main

import (
	"fmt"
	"strings"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/table"
)

// openRecording opens a recording; the caller closes it.
func openRecording(path string) (*teewire.Files, error) {
	f, err := teewire.OpenFiles(path)
	if err != nil && strings.HasSuffix(path, ".json") {
		err = &hinted{err, "  show a report     pushctl tee report " + quoted(path)}
	}
	return f, err
}

// endOf says how the tee of a recording ended.
func endOf(state teewire.Extent, end *teewire.End) string {
	switch {
	case end != nil && end.Reason != "":
		return table.Safe(end.Reason + ": " + end.Detail)
	case state == teewire.Whole:
		return "not told: the recording was full before, or the tee broke off"
	}
	return "not told: it was cut off, or still goes on"
}

// damageLines list what is lost.
func damageLines(holes []teewire.Damage) (lines []string) {
	for _, d := range holes {
		head := "  damaged     "
		for _, l := range table.Wrap(table.Safe(d.String()), "", table.Columns-len(head)) {
			lines = append(lines, head+l)
			head = strings.Repeat(" ", len(head))
		}
	}
	return lines
}

// unwhole is the exit status for a recording that is not whole: failed if
// something in between is lost, partial if it breaks off. Done is what was done
// with the rest, hint what is to be done now.
func unwhole(path string, state teewire.Extent, holes []teewire.Damage, done, hint string) error {
	switch state {
	case teewire.Damaged:
		lost := int64(0)
		for _, d := range holes {
			lost += d.Bytes
		}
		return &hinted{fmt.Errorf("%s is damaged: %s in %s are lost; all else was %s", table.Safe(path), table.Bytes(lost),
			table.Plural(int64(len(holes)), "place"), done), hint}
	case teewire.Cut:
		return &hinted{&partialError{fmt.Errorf("%s breaks off: whoever recorded it was killed, or goes on; all up to there was %s", table.Safe(path), done)}, hint}
	}
	return nil
}
