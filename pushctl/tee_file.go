package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/table"
)

// How much of a recording is there.
const (
	recordingWhole   = "whole"   // all that was recorded
	recordingCut     = "cut"     // it breaks off: whoever recorded it was killed, or goes on
	recordingDamaged = "damaged" // something in between is lost
)

// openRecording opens a recording; the caller closes it.
func openRecording(path string) (*teewire.Files, error) {
	f, err := teewire.OpenFiles(path)
	if err != nil && strings.HasSuffix(path, ".json") {
		err = &hinted{err, "  show a report     pushctl tee report " + quoted(path)}
	}
	return f, err
}

// stateOf tells how much of a recording is there once all of it was read: holes
// is what is lost, ended says that it tells how the tee ended. One that was full
// does not, and is whole all the same.
func stateOf(path string, holes []teewire.Damage, ended bool) string {
	last := lastFile(path)
	damaged := func(d teewire.Damage) bool { return d.File != last || !cutOff(&d) }
	switch {
	case slices.ContainsFunc(holes, damaged):
		return recordingDamaged
	case len(holes) == 0 && (ended || closed(last)):
		return recordingWhole
	}
	return recordingCut
}

// lastFile is the one of a recording that was begun last.
func lastFile(path string) string {
	entries, _ := os.ReadDir(path) // in order; none of a file
	for _, e := range slices.Backward(entries) {
		if strings.HasSuffix(e.Name(), teewire.FileEnd) {
			return filepath.Join(path, e.Name())
		}
	}
	return path
}

// cutOff tells a block that was being written when the end came from bytes that
// are not those that were written.
func cutOff(d *teewire.Damage) bool {
	return d.Bytes > 0 && !strings.HasPrefix(d.What, teewire.ErrFormat.Error())
}

// closedEnd is what a file ends with that was written to its end:
// internal/teewire/FORMAT.md.
const closedEnd = "pushteei"

func closed(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	if _, err := f.Seek(-int64(len(closedEnd)), io.SeekEnd); err != nil {
		return false
	}
	end, err := io.ReadAll(f)
	return err == nil && string(end) == closedEnd
}

// endOf says how the tee of a recording ended.
func endOf(state string, end *teewire.End) string {
	switch {
	case end != nil && end.Reason != "":
		return table.Safe(end.Reason + ": " + end.Detail)
	case state == recordingWhole:
		return "not told: the recording was full before, or the tee broke off"
	}
	return "not told: it was cut off, or still goes on"
}

// damageLines list what is lost. Each names its file, so that they need not say
// that it is one of a tee.
func damageLines(holes []teewire.Damage) (lines []string) {
	for _, d := range holes {
		head := "  damaged     "
		d.What = strings.TrimPrefix(d.What, teewire.ErrFormat.Error()+": ")
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
func unwhole(path, state string, holes []teewire.Damage, done, hint string) error {
	switch state {
	case recordingDamaged:
		lost := int64(0)
		for _, d := range holes {
			lost += d.Bytes
		}
		return &hinted{fmt.Errorf("%s is damaged: %s in %s are lost; all else was %s", table.Safe(path), table.Bytes(lost),
			table.Plural(int64(len(holes)), "place"), done), hint}
	case recordingCut:
		return &hinted{&partialError{fmt.Errorf("%s breaks off: whoever recorded it was killed, or goes on; all up to there was %s", table.Safe(path), done)}, hint}
	}
	return nil
}
