package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// event is what a client of another make saw. Which fields are set depends on
// Event: open, data, control, ping, pong, close, error.
type event struct {
	Client   string          `json:"client"`
	Event    string          `json:"event"`
	Frame    json.RawMessage `json:"frame"`
	ID       string          `json:"id"` // lastEventId of an EventSource
	Code     int             `json:"code"`
	Text     string          `json:"text"`
	Protocol string          `json:"protocol"`
}

func (e event) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %d %s %s", e.Client, e.Event, e.Code, e.Text, e.Frame))
}

// driver is a program that obeys lines of JSON on its standard input and
// writes an event per line.
type driver struct {
	t      *testing.T
	in     io.Writer
	events chan event
	early  []event // read while waiting for others
}

// drive runs a program until the test ends.
func drive(t *testing.T, env []string, name string, args ...string) *driver {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, in: in, events: make(chan event, 4096)}
	go d.read(out) // ends with the program
	t.Cleanup(func() {
		in.Close()
		killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer killer.Stop()
		_ = cmd.Wait()
	})
	return d
}

func (d *driver) read(out io.Reader) {
	defer close(d.events)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			e = event{Client: "driver", Event: "error", Text: s.Text()}
		}
		d.events <- e
	}
}

// do gives the program one command.
func (d *driver) do(command map[string]any) {
	d.t.Helper()
	b, err := json.Marshal(command)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.in.Write(append(b, '\n')); err != nil {
		d.t.Fatal(err)
	}
}

// next returns the next event of a client, of one sort if any is given.
// Events of others are kept for later.
func (d *driver) next(client string, sort ...string) event {
	d.t.Helper()
	fits := func(e event) bool {
		return e.Client == client && (len(sort) == 0 || e.Event == sort[0]) || e.Client == "driver"
	}
	for i, e := range d.early {
		if fits(e) {
			d.early = append(d.early[:i], d.early[i+1:]...)
			return e
		}
	}
	limit := time.NewTimer(3 * patience) // a browser starts slowly
	defer limit.Stop()
	for {
		select {
		case e, ok := <-d.events:
			switch {
			case !ok:
				d.t.Fatalf("the program ended while waiting for %s %s; unread: %v", client, sort, d.early)
			case e.Client == "driver":
				d.t.Fatalf("the program says: %s", e.Text)
			case fits(e):
				return e
			}
			d.early = append(d.early, e)
		case <-limit.C:
			d.t.Fatalf("waited for %s %s; unread: %v", client, sort, d.early)
		}
	}
}

// number is the data of a pushed message: {"n":7}.
func (d *driver) number(client string) int {
	d.t.Helper()
	e := d.next(client, "data")
	return frameNumber(d.t, e.Frame)
}

// frameNumber reads the number in the data of a frame.
func frameNumber(t *testing.T, frame []byte) int {
	t.Helper()
	var f struct {
		Data struct{ N int }
	}
	if err := json.Unmarshal(frame, &f); err != nil || f.Data.N == 0 {
		t.Fatalf("frame %q: %v", frame, err)
	}
	return f.Data.N
}
