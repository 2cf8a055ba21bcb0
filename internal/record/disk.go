package record

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// File is a file that is being written, at offsets.
type File interface {
	io.WriterAt
	Truncate(size int64) error
	Close() error
}

// Disk is where a ring keeps its files: one folder. *Folder is one; tests have
// disks that fail.
type Disk interface {
	fs.FS
	// Create makes a new file to write; one of this name must not exist.
	Create(name string) (File, error)
	Remove(name string) error
}

// Folder is a Disk in a directory.
type Folder struct {
	fs.FS
	dir string
}

// OpenFolder makes the directory if it is not there. Only its owner may enter:
// a record tells who changed which knob.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of records: %w", err)
	}
	return &Folder{os.DirFS(dir), dir}, nil
}

// Create implements Disk.
func (f *Folder) Create(name string) (File, error) {
	return os.OpenFile(filepath.Join(f.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// Remove implements Disk.
func (f *Folder) Remove(name string) error { return os.Remove(filepath.Join(f.dir, name)) }

// Segment is one file of a ring.
type Segment struct {
	Name   string
	Number uint64 // grows with each file of the ring
	Size   int64  // bytes
}

// segmentEnd is the end of the name of every file of a ring.
const segmentEnd = ".rec"

func segmentName(ring string, number uint64) string {
	return fmt.Sprintf("%s-%010d%s", ring, number, segmentEnd)
}

// Segments lists the files of a ring, the oldest first. A folder that is not
// there has none.
func Segments(fsys fs.FS, ring string) ([]Segment, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var all []Segment
	for _, e := range entries {
		s := Segment{Name: e.Name()}
		name, ok := strings.CutPrefix(s.Name, ring+"-")
		if !ok || !strings.HasSuffix(name, segmentEnd) {
			continue
		}
		if _, err := fmt.Sscanf(strings.TrimSuffix(name, segmentEnd), "%d", &s.Number); err != nil || segmentName(ring, s.Number) != s.Name {
			continue
		}
		info, err := e.Info()
		if err != nil { // removed meanwhile
			continue
		}
		s.Size = info.Size()
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Segment) int { return cmp.Compare(a.Number, b.Number) })
	return all, nil
}
