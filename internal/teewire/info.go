package teewire

import (
	"errors"
	"hash/maphash"
	"io"
	"time"
)

// Info is what a recording holds. All of it is read once for that.
type Info struct {
	Head Head `json:"-"`

	Node    string            `json:"node"`
	Build   string            `json:"build"`
	Sample  float64           `json:"sample_percent"`
	Redact  string            `json:"redact"`
	From    time.Time         `json:"from"`
	To      time.Time         `json:"to"`
	Files   int               `json:"files"`
	Blocks  int               `json:"blocks"`
	Bytes   int64             `json:"bytes"`     // of the files
	Raw     int64             `json:"raw_bytes"` // of the batches before they were packed
	Records map[string]uint64 `json:"records"`   // by kind, all kinds there are
	Conns   uint64            `json:"conns"`     // opened or joined
	Peak    int               `json:"conns_peak"`
	Users   int               `json:"users"`                // different ones, at most UsersMax
	More    bool              `json:"users_more,omitempty"` // there are more users than that
	Torn    uint64            `json:"torn"`                 // records that something is missing
	Damage  []Damage          `json:"damage"`
	State   Extent            `json:"state"`
	End     *End              `json:"-"` // how the tee ended; nil if the recording does not say
	Why     string            `json:"end,omitempty"`
}

// UsersMax is how many different users Info counts.
const UsersMax = 4 << 20

// Info reads the recording from its beginning, at some hundred MB a second.
// Where Files stands does not change.
func (f *Files) Info() (*Info, error) {
	all, err := OpenFiles(f.path)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	h := &all.Head
	from, to := all.Span()
	in := &Info{Head: *h, Node: h.Node, Build: h.Build, Sample: h.Sample, Redact: h.Redact.String(), From: h.Time(from), To: h.Time(to),
		Files: len(all.all), Records: map[string]uint64{}}
	for _, s := range all.all {
		in.Bytes += s.size
		in.Blocks += len(s.blocks)
	}
	for k := KindHead; k < KindLimit; k++ {
		in.Records[k.String()] = 0
	}
	if err := in.read(all); err != nil {
		return nil, err
	}
	in.Damage = append([]Damage{}, all.Damage()...)
	in.State = all.Extent(in.End != nil)
	return in, nil
}

func (in *Info) read(f *Files) error {
	r := NewReader(&weighed{f, &in.Raw})
	users, seed := map[uint64]struct{}{}, maphash.MakeSeed()
	open := newState()
	for {
		k, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		in.Records[k.String()]++
		open.add(k, r)
		in.Peak = max(in.Peak, len(open.conns))
		switch k {
		case KindOpen:
			in.Conns++
			for _, u := range r.Open.Users {
				if users[maphash.String(seed, u)] = struct{}{}; len(users) > UsersMax {
					delete(users, maphash.String(seed, u))
					in.More = true
				}
			}
		case KindTorn:
			in.Torn++
		case KindEnd:
			e := r.End
			in.End, in.Why = &e, e.Reason
		}
	}
	in.Users = len(users)
	return nil
}

// weighed counts the bytes that pass.
type weighed struct {
	from  Batches
	bytes *int64
}

// NextBatch implements Batches.
func (w *weighed) NextBatch() ([]byte, error) {
	b, err := w.from.NextBatch()
	*w.bytes += int64(len(b))
	return b, err
}
