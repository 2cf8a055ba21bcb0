package drive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

// recorded is traffic of a made-up second, repeated.
type recorded struct {
	batches [][]byte
	next    int
}

func (r *recorded) NextBatch() ([]byte, error) {
	if r.next == len(r.batches) {
		return nil, io.EOF
	}
	r.next++
	return r.batches[r.next-1], nil
}

// batchRecords is about what a tap puts in a batch of 128 KiB.
const batchRecords = 2000

func (r *recorded) add(source uint32, n int, one func(b *teewire.Batch, i int)) {
	for at := 0; at < n; at += batchRecords {
		b := teewire.Batch{Source: source}
		for i := at; i < min(n, at+batchRecords); i++ {
			one(&b, i)
		}
		r.batches = append(r.batches, bytes.Clone(b.Seal()))
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Records per second of this process's processor time, the node of the same
// process not being asked for anything but connections: flushes only, and a
// mix as a node makes it, a message and a flush, in which the shadow takes
// part.
func BenchmarkReplay(b *testing.B) {
	for _, mix := range []string{"flushes", "messages"} {
		b.Run(mix, func(b *testing.B) {
			n := shadow(b, nil)
			defer n.API.Close()
			const conns = 100
			for b.Loop() {
				b.StopTimer()
				r := &recorded{}
				records := 400_000
				if mix == "messages" {
					records = 100_000
				}
				r.add(0, 1, func(b *teewire.Batch, i int) { b.Head(&teewire.Head{Version: 1, Mono: mono}) })
				r.add(1, conns, func(b *teewire.Batch, i int) {
					b.Open(&teewire.Open{At: mono, Conn: uint64(i + 1), Proto: push.ProtoWS, Users: []string{fmt.Sprint("u", i)}})
				})
				start := mono + int64(time.Second)
				step := int64(time.Second) / int64(records)
				data := append(append([]byte{'"'}, bytes.Repeat([]byte("x"), 200)...), '"')
				if mix == "messages" {
					r.add(2, records/2, func(b *teewire.Batch, i int) {
						b.Publish(&teewire.Message{At: start + 2*int64(i)*step, User: fmt.Append(nil, "u", i%conns), Data: data})
					})
					records /= 2
					step *= 2
				}
				r.add(1, records, func(b *teewire.Batch, i int) {
					b.Out(&teewire.Out{At: start + int64(i)*step, Conn: uint64(i%conns + 1), Frames: 1, Bytes: 240})
				})
				r.add(0, 1, func(b *teewire.Batch, i int) { b.End(&teewire.End{At: start, Reason: "stopped"}) })
				d, err := New(Options{Shadow: n.API, ConnsMax: conns, LateMax: time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				before := cpu()
				b.StartTimer()
				if err := d.Run(b.Context(), teewire.NewReader(r)); err != nil {
					b.Fatal(err)
				}
				took := cpu() - before
				c := d.Counts()
				sum := uint64(0)
				for _, n := range c.Replayed {
					sum += n
				}
				if m := dropped(&c); m > 0 {
					fmt.Fprintln(os.Stderr, "dropped", c.Dropped)
				}
				b.ReportMetric(float64(sum)/took.Seconds(), "records/cpu-s")
				b.ReportMetric(c.LateP99*1e3, "late-p99-ms")
			}
		})
	}
}

// BenchmarkTorn is users of whom messages were left out, 32 told together as a
// tap does, beside 100,000 connections of others.
func BenchmarkTorn(b *testing.B) {
	d := &Driver{conns: map[uint64]*mirrored{}, users: map[string]bool{}}
	for i := range uint64(100_000) {
		d.conns[i] = &mirrored{id: i, state: stateOpen, users: []string{fmt.Sprint("u", i)}}
	}
	for i := 0; b.Loop(); i++ {
		d.tornBy(&record{kind: teewire.KindTorn, body: &teewire.Torn{User: fmt.Sprint("torn", i)}})
		if i%32 == 0 {
			d.tearUsers()
		}
	}
}
