package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// The two generations. The newest may be on probation; the one before is always
// one that the process has survived.
const (
	fileNewest = "knobs.json"
	fileBefore = "knobs.json.1"
	fileMax    = 64 << 20 // bytes
)

// disk is the folder of the last known good.
type disk struct{ dir string }

func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("%w: create the folder or name another one", err)
	}
	return &disk{dir}, nil
}

// write puts text into a file, of which either the old or the new content is
// found after a power failure.
func (d *disk) write(name string, text []byte) error {
	path := filepath.Join(d.dir, name)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	return d.sync()
}

// sync makes the names in the folder last.
func (d *disk) sync() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read returns a file and when it was last written or touched; os.ErrNotExist
// if there is none.
func (d *disk) read(name string) ([]byte, time.Time, error) {
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err == nil && len(text) > fileMax {
		err = fmt.Errorf("it is larger than %d bytes", fileMax)
	}
	return text, info.ModTime(), err
}

// touch notes that the process is still alive.
func (d *disk) touch(name string, now time.Time) {
	_ = os.Chtimes(filepath.Join(d.dir, name), time.Time{}, now) // only for a sentence
}
