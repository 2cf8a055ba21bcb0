package recorder

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// bundle is being gathered during a burst.
type bundle struct {
	info    pushdapi.RecBundle
	left    int64 // bytes that may still be added
	files   []bundleFile
	flight  *trace.FlightRecorder
	traceTo time.Time
}

type bundleFile struct {
	name string
	data []byte
}

// Times in a bundle around its trigger.
const (
	bundleSlice = 5 * time.Minute // of the records of a second before it
	bundleAsk   = time.Second     // for one document of the node
)

// beginBundle takes what shows the moment: who waits for what. It stops the
// program for about 1 µs per goroutine, of which a node has few.
func beginBundle(now time.Time, why string, traced time.Duration, most int64) *bundle {
	b := &bundle{info: pushdapi.RecBundle{ID: now.UTC().Format("20060102T150405"), At: now, Why: why}, left: most}
	b.profile("goroutine")
	if traced > 0 {
		b.startTrace(now, traced, most)
	}
	return b
}

// startTrace records the execution; one that somebody else records is left
// alone.
func (b *bundle) startTrace(now time.Time, length time.Duration, most int64) {
	f := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: length, MaxBytes: uint64(most)})
	if err := f.Start(); err != nil {
		b.leave("trace.out", err)
		return
	}
	b.flight, b.traceTo = f, now.Add(length)
}

// stopTrace ends the trace when its time is over.
func (b *bundle) stopTrace(now time.Time) {
	if b.flight == nil || now.Before(b.traceTo) {
		return
	}
	var out bytes.Buffer
	_, err := b.flight.WriteTo(&out)
	b.flight.Stop()
	b.flight = nil
	if err != nil {
		b.leave("trace.out", err)
		return
	}
	b.add("trace.out", out.Bytes())
}

func (b *bundle) profile(kind string) {
	var out bytes.Buffer
	if err := pprof.Lookup(kind).WriteTo(&out, 0); err != nil {
		b.leave(kind+".pb.gz", err)
		return
	}
	b.add(kind+".pb.gz", out.Bytes())
}

func (b *bundle) add(name string, data []byte) {
	if int64(len(data)) > b.left {
		b.leave(name, fmt.Errorf("%d bytes are more than recorder.bundle_bytes_max leaves", len(data)))
		return
	}
	b.left -= int64(len(data))
	b.files = append(b.files, bundleFile{name, data})
	b.info.Files = append(b.info.Files, name)
}

func (b *bundle) leave(name string, why error) {
	b.info.LeftOut = append(b.info.LeftOut, name+": "+why.Error())
}

// document adds what the node says.
func (b *bundle) document(name string, ask func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), bundleAsk)
	defer cancel()
	v, err := ask(ctx)
	if err != nil {
		b.leave(name, err)
		return
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		b.leave(name, err)
		return
	}
	b.add(name, data)
}

// slice adds the records of a ring around the trigger, as a file that pushctl
// rec reads with --file.
func (b *bundle) slice(fsys fs.FS, ring string, from, to time.Time) {
	name := "rec/" + ring + "-0000000001.rec"
	var out bytes.Buffer
	if err := record.Copy(&out, fsys, record.Query{Ring: ring, From: from.UnixMilli(), To: to.UnixMilli()}); err != nil {
		b.leave(name, err)
		return
	}
	b.add(name, out.Bytes())
}

// finishBundle gathers the rest, what matters most first, and saves it.
func (r *Recorder) finishBundle(b *bundle, now time.Time) (pushdapi.RecBundle, error) {
	b.stopTrace(b.traceTo) // if the burst was shorter
	b.info.Node, b.info.Version = r.c.Node, r.c.Version
	files := os.DirFS(r.dir)
	b.slice(files, RingBurst, b.info.At.Add(-beforeMax), now)
	b.slice(files, RingSecond, b.info.At.Add(-bundleSlice), now)
	for _, name := range slices.Sorted(maps.Keys(r.c.Show)) {
		b.document(name, r.c.Show[name])
	}
	for _, kind := range []string{"mutex", "block", "heap"} {
		b.profile(kind)
	}
	return r.save(b)
}

// save writes a bundle under a name that does not exist before it is whole,
// and forgets the oldest ones.
func (r *Recorder) save(b *bundle) (pushdapi.RecBundle, error) {
	dir := r.bundles()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b.info, err
	}
	info, err := json.MarshalIndent(b.info, "", "  ")
	if err != nil {
		return b.info, err
	}
	var out bytes.Buffer
	if err := pack(&out, append(b.files, bundleFile{"bundle.json", info}), b.info.At); err != nil {
		return b.info, err
	}
	if int64(out.Len()) > r.c.Knobs.Bundle.Get() { // what does not shrink grows a little
		return b.info, fmt.Errorf("bundle of %d bytes: raise recorder.bundle_bytes_max", out.Len())
	}
	b.info.Bytes = int64(out.Len())
	if info, err = json.Marshal(b.info); err != nil {
		return b.info, err
	}
	path := filepath.Join(dir, b.info.ID)
	for _, f := range []bundleFile{{bundleEnd, out.Bytes()}, {".json", info}} {
		if err := os.WriteFile(path+f.name+".new", f.data, 0o600); err != nil {
			os.Remove(path + f.name + ".new")
			return b.info, err
		}
		if err := os.Rename(path+f.name+".new", path+f.name); err != nil {
			return b.info, err
		}
	}
	return b.info, r.forget()
}

// bundleEnd is the end of the name of a bundle.
const bundleEnd = ".tar.gz"

// pack writes files as a tar in gzip.
func pack(w io.Writer, files []bundleFile, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.data)), ModTime: at}); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// forget removes the oldest bundles beyond recorder.bundles_max.
func (r *Recorder) forget() error {
	all, err := r.Bundles()
	if err != nil {
		return err
	}
	for _, b := range all[min(len(all), int(r.c.Knobs.Bundles.Get())):] {
		path := filepath.Join(r.bundles(), b.ID)
		if err := errors.Join(os.Remove(path+".json"), os.Remove(path+bundleEnd)); err != nil {
			return err
		}
	}
	return nil
}

// Bundles lists what can be fetched, the latest first.
func (r *Recorder) Bundles() ([]pushdapi.RecBundle, error) {
	entries, err := os.ReadDir(r.bundles())
	if errors.Is(err, fs.ErrNotExist) {
		return []pushdapi.RecBundle{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := []pushdapi.RecBundle{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(r.bundles(), e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, err
		}
		var b pushdapi.RecBundle
		if json.Unmarshal(text, &b) == nil && b.ID+".json" == e.Name() {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b pushdapi.RecBundle) int { return cmp.Compare(b.ID, a.ID) })
	return all, nil
}

// Bundle opens a bundle by its id and tells its length; fs.ErrNotExist if
// there is none.
func (r *Recorder) Bundle(id string) (io.ReadCloser, int64, error) {
	if _, err := time.Parse("20060102T150405", id); err != nil {
		return nil, 0, fs.ErrNotExist
	}
	f, err := os.Open(filepath.Join(r.bundles(), id+bundleEnd))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
