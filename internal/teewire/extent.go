package teewire

import (
	"errors"
	"fmt"
	"slices"
)

// Extent is how much of a recording is there, in a word.
type Extent string

// The words.
const (
	Whole   Extent = "whole"   // all that was recorded
	Cut     Extent = "cut"     // it breaks off: whoever wrote it was killed, had no room, or goes on
	Damaged Extent = "damaged" // something in between is lost
)

// Damage is a part of a recording that cannot be read.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // where it begins
	Bytes  int64  `json:"bytes"`
	What   string `json:"what"`
	Cut    bool   `json:"cut,omitempty"` // nothing is behind it: the recording breaks off there
}

func (d Damage) String() string {
	return fmt.Sprintf("%s: %d bytes at %d are lost: %s", d.File, d.Bytes, d.Offset, d.What)
}

// damaged makes a Damage of what reading has met. It names its file, so that it
// need not say that it is one of a tee.
func damaged(file string, offset, bytes int64, err error) Damage {
	d := Damage{File: file, Offset: offset, Bytes: bytes, What: err.Error()}
	if f, ok := errors.AsType[*formatError](err); ok {
		d.What, d.Cut = f.what, f.cut
	}
	return d
}

// Damage lists what was found damaged so far: files when they were opened,
// blocks when they were read.
func (f *Files) Damage() []Damage { return slices.Clone(f.holes) }

// Extent tells how much of the recording is there, as far as it was read. ended
// says that a record End was among what was read; one that was full has none,
// and is whole all the same.
func (f *Files) Extent(ended bool) Extent {
	switch {
	case slices.ContainsFunc(f.holes, func(d Damage) bool { return !d.Cut }):
		return Damaged
	case len(f.holes) == 0 && (ended || f.all[len(f.all)-1].closed):
		return Whole
	}
	return Cut
}
