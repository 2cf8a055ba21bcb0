package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pushfleet/internal/keeperapi"
)

// fakeKeeper answers the keepers' API for a fleet of three nodes at fakeTime:
// gw-1 well, gw-2 behind, gw-3 dead. It keeps values and their history, judges
// only what the scripts try, and plays rollouts one frame for each question.
type fakeKeeper struct {
	mu       sync.Mutex
	leader   bool
	rev      uint64
	knobs    []keeperapi.KnobInfo
	history  map[string][]keeperapi.Change
	freezes  []keeperapi.Freeze
	tokens   []keeperapi.Token
	audit    []keeperapi.Audit
	limits   keeperapi.Limits
	rollouts map[string]*fakeRollout
	forgot   map[string]bool
	got      string // the last body, for the scripts to see
	who      string
}

// fakeRollout is played frame by frame; the last one stays.
type fakeRollout struct{ frames []keeperapi.RolloutInfo }

func before(d time.Duration) keeperapi.Time { return keeperapi.TimeOf(fakeTime().Add(-d)) }

func newFakeKeeper(leader bool) *fakeKeeper {
	k := &fakeKeeper{leader: leader, rev: 418, limits: keeperapi.DefaultLimits(), history: map[string][]keeperapi.Change{},
		rollouts: map[string]*fakeRollout{}, forgot: map[string]bool{}}
	for _, n := range fakeKnobs() {
		k.knobs = append(k.knobs, keeperapi.KnobInfo{Nodes: 3, Decl: keeperapi.Decl{Name: n.Name, Type: n.Type, Unit: n.Unit, Help: n.Help,
			Default: n.Default, Min: n.Min, Max: n.Max, Values: n.Values, Risk: n.Risk, Acts: n.Acts}})
	}
	k.give("queue.messages_max", keeperapi.Fleet, &keeperapi.Value{Value: "1024", Revision: 377, Who: "maria", At: before(12 * 24 * time.Hour), Why: "baseline"})
	k.give("queue.messages_max", "app=shop", &keeperapi.Value{Value: "256", Revision: 401, Who: "bob@desk", At: before(26 * time.Hour), Why: "INC-298",
		Deadline: keeperapi.TimeOf(fakeTime().Add(10 * time.Minute))})
	k.give("conns.max", keeperapi.NodeScope("gw-3"), &keeperapi.Value{Value: "200000", Revision: 418, Who: "maria", At: before(3 * time.Minute)})
	k.freezes = []keeperapi.Freeze{{Knob: "heartbeat.timeout", Who: "maria", At: before(2 * time.Hour), Why: "measuring"}}
	k.find("heartbeat.timeout").Frozen = &k.freezes[0]
	k.audit = []keeperapi.Audit{
		{Revision: 401, At: before(26 * time.Hour), Who: "bob@desk", What: "set queue.messages_max=256 on app=shop for 24h", Why: "INC-298", From: "10.0.0.9:5123"},
		{Revision: 418, At: before(3 * time.Minute), Who: "maria", What: "set conns.max=200000 on node=gw-3", From: "local"}}
	k.tokens = []keeperapi.Token{{Name: "ci", Role: keeperapi.RoleOperate, Who: "maria", At: before(48 * time.Hour), Expires: before(time.Hour)},
		{Name: "dash", Role: keeperapi.RoleRead, Who: "maria", At: before(48 * time.Hour)}}
	k.rollouts["ro377"] = &fakeRollout{[]keeperapi.RolloutInfo{{Rollout: keeperapi.Rollout{ID: "ro377", Phase: keeperapi.PhaseDone, Scope: keeperapi.Fleet,
		Values: map[string]string{"queue.messages_max": "1024"}, Steps: []string{"1", "all"}, Step: 1, All: true, Of: 12, SoakMS: 60_000,
		Started: before(12*24*time.Hour + 2*time.Minute), StepAt: before(12*24*time.Hour + time.Minute), EndedAt: before(12 * 24 * time.Hour), Who: "maria", Why: "baseline"},
		NowMS: keeperapi.TimeOf(fakeTime())}}}
	return k
}

// give sets a value and remembers it.
func (k *fakeKeeper) give(knob string, s keeperapi.Scope, v *keeperapi.Value) {
	info := k.find(knob)
	c := keeperapi.Change{Revision: k.rev, Kind: keeperapi.KindUnset, Scope: s, New: v, At: keeperapi.TimeOf(fakeTime())}
	if v != nil {
		c.Revision, c.Kind, c.Who, c.At, c.Why, c.From = v.Revision, keeperapi.KindSet, v.Who, v.At, v.Why, v.From
	}
	i := slices.IndexFunc(info.Values, func(sv keeperapi.ScopedValue) bool { return sv.Scope == s })
	if i >= 0 {
		old := info.Values[i].Value
		c.Old = &old
		info.Values = slices.Delete(info.Values, i, i+1)
	}
	if v != nil {
		info.Values = append(info.Values, keeperapi.ScopedValue{Scope: s, Value: *v})
	}
	rank := map[keeperapi.Layer]int{keeperapi.LayerFleet: 0, keeperapi.LayerGroup: 1, keeperapi.LayerNode: 2}
	slices.SortFunc(info.Values, func(a, b keeperapi.ScopedValue) int {
		return cmp.Or(cmp.Compare(rank[a.Scope.Layer()], rank[b.Scope.Layer()]), cmp.Compare(a.Scope, b.Scope))
	})
	info.Last = c.Revision
	k.history[knob] = append(k.history[knob], c)
}

func (k *fakeKeeper) find(name string) *keeperapi.KnobInfo {
	for i := range k.knobs {
		if k.knobs[i].Name == name {
			return &k.knobs[i]
		}
	}
	return nil
}

func (k *fakeKeeper) handler() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, f func(r *http.Request) (any, *keeperapi.Error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			k.mu.Lock()
			defer k.mu.Unlock()
			v, no := any(nil), k.admit(r)
			if no == nil {
				v, no = f(r)
			}
			if no != nil {
				w.WriteHeader(fakeStatus(no.Code))
				answer(w, no)
				return
			}
			answer(w, v)
		})
	}
	on("GET /v1/status", func(*http.Request) (any, *keeperapi.Error) { return k.status(), nil })
	on("GET /v1/knobs", func(*http.Request) (any, *keeperapi.Error) { return k.knobs, nil })
	on("GET /v1/knobs/{name}", func(r *http.Request) (any, *keeperapi.Error) { return k.known(r) })
	on("GET /v1/knobs/{name}/history", k.historyOf)
	on("GET /v1/knobs/{name}/explain", k.explain)
	on("POST /v1/txn", k.txn)
	on("POST /v1/rollback", k.rollback)
	on("POST /v1/freeze", k.freeze)
	on("GET /v1/freezes", func(*http.Request) (any, *keeperapi.Error) { return k.freezes, nil })
	on("POST /v1/rollouts", k.startRollout)
	on("GET /v1/rollouts", k.listRollouts)
	on("GET /v1/rollouts/{id}", k.rollout)
	on("POST /v1/rollouts/{id}/{verb}", k.moveRollout)
	on("GET /v1/nodes", func(*http.Request) (any, *keeperapi.Error) { return k.nodes(), nil })
	on("GET /v1/nodes/{id}/knobs", k.held)
	on("DELETE /v1/nodes/{id}", func(r *http.Request) (any, *keeperapi.Error) {
		k.forgot[r.PathValue("id")] = true
		return nil, nil
	})
	on("GET /v1/audit", func(*http.Request) (any, *keeperapi.Error) { return k.audit, nil })
	on("GET /v1/tokens", func(*http.Request) (any, *keeperapi.Error) { return k.tokens, nil })
	on("POST /v1/tokens", k.token)
	on("GET /v1/limits", func(*http.Request) (any, *keeperapi.Error) { return k.limits, nil })
	on("PUT /v1/limits", func(r *http.Request) (any, *keeperapi.Error) { return nil, k.body(r, &k.limits) })
	for _, quiet := range []string{"DELETE /v1/members/{id}", "POST /v1/transfer", "POST /v1/snapshot"} {
		on(quiet, func(*http.Request) (any, *keeperapi.Error) { return nil, nil })
	}
	mux.HandleFunc("GET /v1/watch", k.watch)
	// What was asked last, for the scripts.
	mux.HandleFunc("GET /got", func(w http.ResponseWriter, _ *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		fmt.Fprintf(w, "%s by %s\n", k.got, k.who)
	})
	return mux
}

func fakeStatus(c keeperapi.Code) int {
	switch c {
	case keeperapi.CodeToken:
		return 401
	case keeperapi.CodeRole:
		return 403
	case keeperapi.CodeUnknownKnob, keeperapi.CodeUnknownNode:
		return 404
	case keeperapi.CodeNoLeader:
		return 503
	}
	return 409
}

func no(code keeperapi.Code, knob, format string, args ...any) *keeperapi.Error {
	return &keeperapi.Error{Code: code, Knob: knob, Message: fmt.Sprintf(format, args...)}
}

// admit checks who asks: the tokens "nobody" and "reader" have no rights and
// those to read; without one all is allowed.
func (k *fakeKeeper) admit(r *http.Request) *keeperapi.Error {
	switch token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case token == "nobody":
		return no(keeperapi.CodeToken, "", "this token is not known: ask an admin for one")
	case token == "reader" && r.Method != http.MethodGet:
		return no(keeperapi.CodeRole, "", "reader may only read")
	case !k.leader && r.URL.Path != "/v1/status" && r.FormValue("stale") == "":
		return no(keeperapi.CodeNoLeader, "", "nobody leads the keepers: 1 of 3 is there")
	}
	k.who = r.Header.Get("X-Who")
	return nil
}

// body reads a request; what was sent is kept for the scripts.
func (k *fakeKeeper) body(r *http.Request, into any) *keeperapi.Error {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return no(keeperapi.CodeMalformed, "", "%v", err)
	}
	k.got = r.URL.Path + " " + string(b)
	return nil
}

func (k *fakeKeeper) status() *keeperapi.Status {
	s := &keeperapi.Status{ID: "k1", Cluster: "prod", Version: "0.1.0", Role: "leader", LeaderID: "k1", LeaderAPI: "10.0.0.1:7410", Term: 4,
		Revision: k.rev, ValuesRevision: k.rev, LogIndex: 90_211, Committed: 90_211, SnapshotIndex: 81_920, LogKind: "wal", Sessions: 2, Watchers: 1,
		NowMS: keeperapi.TimeOf(fakeTime()), UptimeMS: 273_600_000, Nodes: keeperapi.Counts{Total: 3, Alive: 2, Dead: 1, Current: 1, Behind: 1}}
	s.Members = []keeperapi.Member{
		{ID: "k1", Address: "10.0.0.1:7411", Voter: true, Leader: true, Known: true, OK: true, SinceMS: before(76 * time.Hour)},
		{ID: "k2", Address: "10.0.0.2:7411", Voter: true, Known: true, OK: true, SinceMS: before(76 * time.Hour), Lag: 1},
		{ID: "k3", Address: "10.0.0.3:7411", Voter: true, Known: true, SinceMS: before(312 * time.Second), Lag: 1290, Reason: "no answer"}}
	if !k.leader {
		s.Role, s.LeaderID, s.LeaderAPI = "candidate", "", ""
		for i := range s.Members {
			m := &s.Members[i]
			*m = keeperapi.Member{ID: m.ID, Address: m.Address, Voter: true}
		}
	}
	return s
}

func (k *fakeKeeper) known(r *http.Request) (*keeperapi.KnobInfo, *keeperapi.Error) {
	name := r.PathValue("name")
	if info := k.find(name); info != nil {
		return info, nil
	}
	return nil, no(keeperapi.CodeUnknownKnob, name, "no node declares a knob %q", name)
}

func (k *fakeKeeper) historyOf(r *http.Request) (any, *keeperapi.Error) {
	info, no := k.known(r)
	if no != nil {
		return nil, no
	}
	return keeperapi.History{Knob: info.Name, Last: info.Last, Changes: k.history[info.Name]}, nil
}

func (k *fakeKeeper) explain(r *http.Request) (any, *keeperapi.Error) {
	info, bad := k.known(r)
	if bad != nil {
		return nil, bad
	}
	x := &keeperapi.Explain{Node: r.FormValue("node"), Knob: info.Name, Value: info.Default, Winner: keeperapi.LayerDefault, Decl: &info.Decl, Frozen: info.Frozen}
	if !slices.ContainsFunc(k.nodes(), func(n keeperapi.NodeInfo) bool { return n.ID == x.Node }) {
		return nil, no(keeperapi.CodeUnknownNode, "", "no node is called %q", x.Node)
	}
	labels := map[string]string{"app": map[string]string{"gw-1": "chat", "gw-3": "shop"}[x.Node]}
	for _, v := range info.Values {
		if v.Scope.Covers(x.Node, labels) {
			x.Layers = append(x.Layers, keeperapi.LayerValue{Layer: v.Scope.Layer(), Scope: v.Scope, Value: v.Value})
		}
	}
	if n := len(x.Layers); n > 0 {
		last := &x.Layers[n-1]
		last.Wins, x.Value, x.Winner, x.Scope = true, last.Value.Value, last.Layer, last.Scope
	}
	return x, nil
}

// judge refuses what the scripts try.
func (k *fakeKeeper) judge(as []keeperapi.Assign, ifRev *uint64, nowAll bool) *keeperapi.Error {
	for _, a := range as {
		info := k.find(a.Knob)
		switch {
		case info == nil && a.Unset: // as keepers do: it may be left of an old build
			return nil
		case info == nil:
			return no(keeperapi.CodeUnknownKnob, a.Knob, "no node declares a knob %q", a.Knob)
		case info.Frozen != nil && !nowAll:
			return no(keeperapi.CodeFrozen, a.Knob, "%s is frozen by %s: %s", a.Knob, info.Frozen.Who, info.Frozen.Why)
		case ifRev != nil && info.Last > *ifRev:
			return no(keeperapi.CodeRevision, a.Knob, "%s changed at r%d, after r%d", a.Knob, info.Last, *ifRev)
		case a.Value == "999999":
			return no(keeperapi.CodeRange, a.Knob, "%s: %q is out of range; allowed is %s to %s", a.Knob, a.Value, info.Min, info.Max)
		case strings.HasSuffix(a.Value, "parsecs"):
			return no(keeperapi.CodeSyntax, a.Knob, "%s: %q is not a whole number", a.Knob, a.Value)
		case a.Value == "13":
			e := no(keeperapi.CodePreflight, a.Knob, "1 of 2 nodes would refuse it")
			e.Refused = []keeperapi.Refusal{{Node: "gw-2", Knob: a.Knob, Reason: "13 connections are fewer than are open: choose 48211 or more"}}
			return e
		}
	}
	return nil
}

func (k *fakeKeeper) txn(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.TxnRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	if bad := k.judge(req.Changes, req.IfRev, req.NowAll); bad != nil {
		return nil, bad
	}
	a := &keeperapi.Answer{DryRun: req.DryRun, Checked: &keeperapi.Preflight{Asked: 2, Accepted: 2}}
	a.Changes = k.deltas(req.Changes)
	if req.DryRun {
		a.DiffNodes = 1
		for _, d := range a.Changes {
			a.Diff = append(a.Diff, keeperapi.NodeDiff{Node: "gw-1", Knob: d.Knob, Old: d.Old, New: d.New, OldScope: d.Scope, NewScope: d.Scope})
		}
	} else if len(a.Changes) > 0 {
		k.apply(req.Changes, req.Why)
		a.Changed = len(req.Changes)
	}
	a.Revision = k.rev
	if req.WaitMS > 0 {
		a.Applied = &keeperapi.Applied{Revision: k.rev, Of: 2, Applied: 2, TookMS: 8}
		if req.Changes[0].Knob == "queue.bytes_max" {
			a.Applied = &keeperapi.Applied{Revision: k.rev, Of: 2, Applied: 1, Pending: []string{"gw-2"}, TookMS: float64(req.WaitMS)}
		}
	}
	return a, nil
}

func (k *fakeKeeper) deltas(as []keeperapi.Assign) (ds []keeperapi.Delta) {
	for _, x := range as {
		info := k.find(x.Knob)
		if info == nil {
			continue
		}
		d := keeperapi.Delta{Knob: x.Knob, Scope: x.Scope, New: x.Value, Acts: info.Acts, Risk: info.Risk}
		if info.Type == "int" {
			d.Unit = info.Unit
		}
		for _, v := range info.Values {
			if v.Scope == x.Scope {
				d.Old = v.Value.Value
			}
		}
		ds = append(ds, d)
	}
	return ds
}

func (k *fakeKeeper) apply(as []keeperapi.Assign, why string) {
	k.rev++
	for _, x := range as {
		var v *keeperapi.Value
		if !x.Unset {
			v = &keeperapi.Value{Value: x.Value, Revision: k.rev, Who: k.who, At: keeperapi.TimeOf(fakeTime()), Why: why}
		}
		k.give(x.Knob, x.Scope, v)
	}
}

func (k *fakeKeeper) rollback(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.RollbackRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	back := []keeperapi.Assign{{Knob: "conns.max", Scope: keeperapi.NodeScope("gw-3"), Unset: true}}
	a := &keeperapi.Answer{DryRun: req.DryRun, Changes: k.deltas(back)}
	if !req.DryRun {
		k.apply(back, req.Why)
		a.Changed, a.Applied = 1, &keeperapi.Applied{Revision: k.rev, Of: 1, Applied: 1, TookMS: 3}
	}
	a.Revision = k.rev
	return a, nil
}

func (k *fakeKeeper) freeze(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.FreezeRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	k.rev++
	k.freezes = slices.DeleteFunc(k.freezes, func(f keeperapi.Freeze) bool { return f.Knob == req.Knob })
	if !req.Off {
		k.freezes = append(k.freezes, keeperapi.Freeze{Knob: req.Knob, Who: k.who, At: keeperapi.TimeOf(fakeTime()), Why: req.Why})
	}
	if info := k.find(req.Knob); info != nil && req.Off {
		info.Frozen = nil
	}
	return keeperapi.Answer{Result: keeperapi.Result{Revision: k.rev}}, nil
}

func (k *fakeKeeper) nodes() []keeperapi.NodeInfo {
	load := map[string]float64{"conns": 48210, "published.10s": 11980, "queued": 1204, "drops.10s": 3, "cpu": 38}
	node := func(id, app string, applied uint64) keeperapi.NodeInfo {
		return keeperapi.NodeInfo{Node: keeperapi.Node{ID: id, Epoch: "e1", Address: "10.0.1." + id[3:] + ":7401", Version: "0.1.0",
			Labels: map[string]string{"app": app, "zone": "a"}, Schema: "0123456789abcdef0123456789abcdef", Health: "serving", Load: load,
			Knobs: keeperapi.Ack{Offered: 418, Applied: applied}, Joined: before(76 * time.Hour), Seen: before(time.Second)}, Connected: true, Current: applied == 418}
	}
	behind, dead := node("gw-2", "chat", 401), node("gw-3", "shop", 377)
	behind.Knobs.Nacked, behind.Knobs.Reason = 418, "queue.bytes_max is below frame.bytes_max: raise it to 64KiB"
	behind.Drift = []keeperapi.Drift{{Node: "gw-2", Knob: "queue.messages_max", Want: "1024", Have: "64", Reason: keeperapi.DriftLocal},
		{Node: "gw-2", Knob: "conns.max", Want: "", Have: "5000", Reason: keeperapi.DriftNacked}}
	dead.DeadForMS, dead.Connected, dead.Seen = 182_000, false, before(192*time.Second)
	all := []keeperapi.NodeInfo{node("gw-1", "chat", 418), behind, dead}
	return slices.DeleteFunc(all, func(n keeperapi.NodeInfo) bool { return k.forgot[n.ID] })
}

func (k *fakeKeeper) held(r *http.Request) (any, *keeperapi.Error) {
	id := r.PathValue("id")
	if id != "gw-1" && id != "gw-3" {
		return nil, no(keeperapi.CodeUnknownNode, "", "no node is called %q", id)
	}
	e := keeperapi.Effective{Node: id, Revision: 418, Knobs: map[string]keeperapi.Held{"queue.messages_max": {Value: "1024", Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet, Revision: 377}}}
	if id == "gw-3" {
		e.Knobs["queue.messages_max"] = keeperapi.Held{Value: "256", Layer: keeperapi.LayerGroup, Scope: "app=shop", Revision: 401}
		e.Knobs["conns.max"] = keeperapi.Held{Value: "200000", Layer: keeperapi.LayerNode, Scope: keeperapi.NodeScope("gw-3"), Revision: 418}
	}
	return e, nil
}

func (k *fakeKeeper) token(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.TokenRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	k.rev++
	k.tokens = slices.DeleteFunc(k.tokens, func(t keeperapi.Token) bool { return t.Name == req.Name })
	if !req.Remove {
		k.tokens = append(k.tokens, keeperapi.Token{Name: req.Name, Role: req.Role, Expires: req.Expires, Who: k.who, At: keeperapi.TimeOf(fakeTime())})
	}
	return keeperapi.Answer{Result: keeperapi.Result{Revision: k.rev}}, nil
}

func (k *fakeKeeper) startRollout(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.RolloutRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	if bad := k.judge(req.Changes, req.IfRev, false); bad != nil {
		return nil, bad
	}
	a := &keeperapi.Answer{DryRun: req.DryRun, Changes: k.deltas(req.Changes), Checked: &keeperapi.Preflight{Asked: 12, Accepted: 12}}
	if !req.DryRun {
		k.rev++
		a.Result = keeperapi.Result{Revision: k.rev, Rollout: "ro" + strconv.FormatUint(k.rev, 10), Nodes: []string{"gw-7"}, Reached: 1, Changed: 1}
		k.rollouts[a.Rollout] = &fakeRollout{play(a.Rollout, &req)}
	}
	a.Revision = k.rev
	return a, nil
}

// play is how a rollout goes: step by step until it is done, or with a guard
// over drops until that breaks on gw-3. One without a soak time stays.
func play(id string, req *keeperapi.RolloutRequest) []keeperapi.RolloutInfo {
	at := keeperapi.TimeOf(fakeTime())
	r := keeperapi.Rollout{ID: id, Phase: keeperapi.PhaseRunning, Scope: req.Changes[0].Scope, Values: map[string]string{}, Steps: req.Steps, SoakMS: req.SoakMS,
		Of: 12, Guard: req.Guard, Revision: 419, Started: at, StepAt: at, Who: "maria", Why: req.Why, Nodes: []string{"gw-7"}}
	for _, a := range req.Changes {
		r.Values[a.Knob] = a.Value
	}
	frame := func(after keeperapi.Time, reached ...keeperapi.RolloutNode) keeperapi.RolloutInfo {
		return keeperapi.RolloutInfo{Rollout: r, NowMS: r.StepAt + after, Reached: reached, Baseline: "0.3/s"}
	}
	well := keeperapi.RolloutNode{Node: "gw-7", Applied: true, OK: true, Figures: "drops.10s 0.2/s, wait.p99.10s 0.4 s"}
	fs := []keeperapi.RolloutInfo{frame(0, keeperapi.RolloutNode{Node: "gw-7", OK: true}), frame(30_000, well), frame(60_000, well)}
	if req.SoakMS == 0 {
		return fs[:1]
	}
	r.Step, r.StepAt, r.Nodes = 1, at+60_000, []string{"gw-7", "gw-3"}
	bad := keeperapi.RolloutNode{Node: "gw-3", Applied: true, Figures: "drops.10s 6.1/s"}
	if strings.Contains(req.Guard, "drops") {
		last := frame(31_000, well, bad)
		last.Phase, last.EndedAt, last.EndWhy = keeperapi.PhaseBroke, r.StepAt+31_000, "guard broke on gw-3: drops.10s 6.1/s, allowed < 5/s"
		return append(fs, frame(30_000, well, keeperapi.RolloutNode{Node: "gw-3", Applied: true, OK: true, Figures: "drops.10s 4.9/s"}), last)
	}
	r.Step, r.All, r.Nodes = len(req.Steps)-1, true, nil
	last := frame(60_000, well)
	last.Phase, last.EndedAt = keeperapi.PhaseDone, r.StepAt+60_000
	return append(fs, frame(1000, well), last)
}

func (k *fakeKeeper) listRollouts(*http.Request) (any, *keeperapi.Error) {
	var rs []keeperapi.Rollout
	for _, id := range slices.Sorted(maps.Keys(k.rollouts)) {
		rs = append(rs, k.rollouts[id].frames[0].Rollout)
	}
	return rs, nil
}

func (k *fakeKeeper) rollout(r *http.Request) (any, *keeperapi.Error) {
	ro := k.rollouts[r.PathValue("id")]
	if ro == nil {
		return nil, no(keeperapi.CodeRollout, "", "there is no rollout %q: see pushctl knob rollout list", r.PathValue("id"))
	}
	f := ro.frames[0]
	if len(ro.frames) > 1 {
		ro.frames = ro.frames[1:]
	}
	return f, nil
}

func (k *fakeKeeper) moveRollout(r *http.Request) (any, *keeperapi.Error) {
	var req keeperapi.RolloutMoveRequest
	if bad := k.body(r, &req); bad != nil {
		return nil, bad
	}
	ro := k.rollouts[r.PathValue("id")]
	if ro == nil {
		return nil, no(keeperapi.CodeRollout, "", "there is no rollout %q: see pushctl knob rollout list", r.PathValue("id"))
	}
	if r.PathValue("verb") == "advance" && !req.Force {
		return nil, no(keeperapi.CodeSoaking, "", "rollout %s soaks for 30 s more: wait, or force it", r.PathValue("id"))
	}
	k.rev++
	if r.PathValue("verb") == "abort" {
		f := ro.frames[0]
		f.Phase, f.EndedBy, f.EndWhy, f.EndedAt = keeperapi.PhaseAborted, k.who, req.Why, f.NowMS
		ro.frames = []keeperapi.RolloutInfo{f}
	}
	return keeperapi.Answer{Result: keeperapi.Result{Revision: k.rev}, Applied: &keeperapi.Applied{Revision: k.rev, Of: 1, Applied: 1, TookMS: 5}}, nil
}

// watch begins with a snapshot and a few events, and stays open.
func (k *fakeKeeper) watch(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	at := keeperapi.TimeOf(fakeTime())
	enc.Encode(keeperapi.WatchFrame{Position: 418, NowMS: at, Snapshot: true})
	enc.Encode(keeperapi.WatchFrame{Position: 421, NowMS: at, Events: []keeperapi.Event{
		{Revision: 419, Kind: keeperapi.KindSet, At: at, Knob: "queue.messages_max", Scope: keeperapi.Fleet, Old: "1024", Value: "256", Who: "maria", Why: "INC-311"},
		{Revision: 420, Kind: keeperapi.KindNodeDead, At: at + 5, Node: "gw-3"},
		{Revision: 421, Kind: keeperapi.KindRolloutBroke, At: at + 9, Knob: "conns.max", Scope: keeperapi.Fleet, Old: "5000", Rollout: "ro400", Nodes: []string{"gw-7", "gw-3"}},
		{Revision: 421, Kind: keeperapi.KindNodeNacked, At: at + 12, Node: "gw-2", Value: "too small: raise it"}}})
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}
