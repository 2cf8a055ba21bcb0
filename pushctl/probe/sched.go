package probe

import (
	"context"
	"fmt"
	"time"

	"pushfleet/bpf"
)

// SchedReport is how long threads were ready and waited for a processor.
type SchedReport struct {
	Run
	All     Times    `json:"all"`
	Threads []Thread `json:"threads"` // largest total first
	Hist    []Bar    `json:"hist"`
}

// Thread is the waits of one thread.
type Thread struct {
	TID  uint32 `json:"tid"`
	Name string `json:"name"` // "" if it has ended
	Times
}

// Sched watches the run queue for a process of any kind.
func Sched(ctx context.Context, t *Target, o Options) (*SchedReport, error) {
	if err := rootPIDs(); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadSched()
	if err != nil {
		return nil, err
	}
	var v bpf.SchedVariableSpecs
	if err := spec.Assign(&v); err != nil {
		return nil, err
	}
	if err := v.Tgid.Set(uint32(t.PID)); err != nil {
		return nil, err
	}
	var objs bpf.SchedObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return nil, fmt.Errorf("load the probe: %w", needs(err))
	}
	defer objs.Close()
	s := &session{t: t, o: o, counters: objs.Counters, began: time.Now(),
		meter: newMeter(Cost{}, watched{prog: objs.Switched}, watched{prog: objs.Wakeup}, watched{prog: objs.WakeupNew})}
	defer s.meter.Close()
	if s.links, err = tracepoints(objs.Switched, objs.WakeupNew, objs.Wakeup); err != nil {
		return nil, err
	}
	end, err := s.run(ctx, nil)
	if err != nil {
		return nil, err
	}
	r := &SchedReport{Threads: []Thread{}}
	if err := r.read(t, &objs); err != nil {
		return nil, err
	}
	r.Run, err = s.about(end)
	return r, err
}

func (r *SchedReport) read(t *Target, objs *bpf.SchedObjects) error {
	var all Waits
	var tid uint32
	var w bpf.SchedWaits
	it := objs.Threads.Iterate()
	for it.Next(&tid, &w) {
		v := Waits{w.Count, w.Sum, w.Max, w.Hist}
		all.Merge(&v)
		name, err := comm(fmt.Sprintf("/proc/%d/task/%d", t.PID, tid))
		if err != nil { // it has ended
			name = ""
		}
		r.Threads = append(r.Threads, Thread{tid, name, v.times()})
	}
	r.All, r.Hist = all.times(), all.Bars()
	sortBy(r.Threads, func(t *Thread) float64 { return t.Total })
	return readErr(it)
}
