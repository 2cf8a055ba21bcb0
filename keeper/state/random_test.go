package state

import (
	"fmt"

	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

// teller makes up commands about a small fleet, some of them bad. Time goes
// on, and now and then the leader's clock leaps either way.
type teller struct {
	t   *rapid.T
	now keeperapi.Time
	rev uint64 // a revision worth naming
	n   int
}

func newTeller(t *rapid.T) *teller { return &teller{t: t, now: start} }

func (r *teller) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(r.t, label)
}

func (r *teller) number(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(r.t, label)
}

func (r *teller) knob() string {
	return r.pick("knob", "queue.messages_max", "queue.messages_max", "heartbeat.ping", "tap.on", "no.such")
}

func (r *teller) node() string { return fmt.Sprintf("gw-%d", r.number("node", 1, 6)) }

func (r *teller) scope() keeperapi.Scope {
	return keeperapi.Scope(r.pick("scope", "fleet", "fleet", "app=shop", "region=eu", "node="+r.node(), "canary=ro1"))
}

func (r *teller) value(knob string) string {
	if r.number("bad value", 0, 19) == 0 {
		return "nonsense"
	}
	switch knob {
	case "heartbeat.ping":
		return fmt.Sprintf("%ds", r.number("seconds", 1, 60))
	case "tap.on":
		return r.pick("switch", "on", "off")
	}
	return fmt.Sprint(r.number("messages", 16, 6000))
}

func (r *teller) changes(unset bool) (out []keeperapi.Assign) {
	for range r.number("changes", 1, 3) {
		knob := r.knob()
		a := keeperapi.Assign{Knob: knob, Scope: r.scope(), Value: r.value(knob)}
		if unset && r.number("unset", 0, 3) == 0 {
			a.Unset, a.Value = true, ""
		}
		out = append(out, a)
	}
	return out
}

func (r *teller) forMS() int64 {
	return int64(rapid.SampledFrom([]int{0, 0, 5, 20, 60}).Draw(r.t, "for")) * 1000
}

func (r *teller) guard() string { return r.pick("guard", "", "", "drops.10s < 5/s") }

func (r *teller) ifRev() *uint64 {
	if r.number("if_rev", 0, 5) > 0 {
		return nil
	}
	n := uint64(r.number("back", 0, 3))
	n = r.rev - min(n, r.rev)
	return &n
}

// join is of the first kind of command, which a fleet begins with.
func (r *teller) join() Command {
	sc := fleetSchema()
	if r.number("old build", 0, 3) == 0 {
		sc = oldSchema()
	}
	labels := map[string]string{}
	for _, l := range [][3]string{{"app", "shop", "chat"}, {"region", "eu", "us"}} {
		if v := r.pick(l[0], l[1], l[2], ""); v != "" {
			labels[l[0]] = v
		}
	}
	return Command{Op: OpJoin, Body: joinOf(r.node(), labels, sc, int64(r.number("lease", 1, 100))*1000)}
}

// command makes up one command of the given kinds.
func (r *teller) command(ops ...Op) Command {
	r.n++
	r.now += keeperapi.Time(r.number("step", 0, 8000))
	if r.number("leap", 0, 40) == 0 {
		r.now += keeperapi.Time(r.number("by", -20_000, 20_000))
	}
	c := r.body(rapid.SampledFrom(ops).Draw(r.t, "op"))
	c.At, c.Who, c.Why = r.now, r.pick("who", "maria", "jo"), r.pick("why", "", "INC-1")
	if c.Op == OpJoin || c.Op == OpReport || c.Op == OpExpire {
		c.Who, c.Why = "", ""
	}
	if r.number("has id", 0, 3) == 0 {
		c.ID = fmt.Sprintf("k%d", r.n)
	}
	return c
}

func (r *teller) body(op Op) Command {
	now := func() bool { return r.number("now", 0, 5) == 0 }
	switch op {
	case OpJoin:
		return r.join()
	case OpTxn:
		return Command{Op: op, Body: keeperapi.Txn{Changes: r.changes(true), ForMS: r.forMS(), Guard: r.guard(), IfRev: r.ifRev(), NowAll: now()}}
	case OpRollback:
		return Command{Op: op, Body: keeperapi.Rollback{To: r.rev - min(r.rev, uint64(r.number("back", 0, 6))), NowAll: now()}}
	case OpFreeze:
		return Command{Op: op, Body: keeperapi.FreezeSet{Knob: r.pick("what", "*", "tap.on"), Off: r.number("off", 0, 2) > 0}}
	case OpRolloutStart:
		changes := r.changes(false)
		for i := range changes {
			changes[i].Scope = changes[0].Scope
		}
		return Command{Op: op, Body: keeperapi.RolloutStart{Changes: changes, ForMS: r.forMS(), Guard: r.guard(),
			Steps: rapid.SampledFrom([][]string{{"1", "50%", "all"}, {"all"}, {"2", "all"}, {"25%", "3"}}).Draw(r.t, "plan"), SoakMS: 2000}}
	case OpRolloutAdvance, OpRolloutAbort, OpRolloutBreak:
		return Command{Op: op, Body: keeperapi.RolloutMove{Rollout: fmt.Sprintf("ro%d", r.number("rollout", 1, int(r.rev)+1)),
			Step: r.number("to", 1, 3), Force: now()}}
	case OpReport:
		return Command{Op: op, Body: keeperapi.Report{Nodes: []keeperapi.NodeReport{{ID: r.node(), LeaseMS: 9000,
			Health: r.pick("health", "ok", "slow"), Knobs: &keeperapi.Ack{Applied: r.rev}}}}}
	case OpLeave:
		return Command{Op: op, Body: keeperapi.Leave{ID: r.node()}}
	case OpToken:
		return Command{Op: op, Body: keeperapi.TokenSet{Name: r.pick("name", "a", "b"), Role: keeperapi.RoleRead,
			Hash: hashOf(r.pick("secret", "1", "2")), Remove: r.number("remove", 0, 1) == 0, Expires: r.now + 5000}}
	case OpLimits:
		l := keeperapi.DefaultLimits()
		l.History, l.Audit, l.IDs, l.Events, l.Rollouts = r.number("h", 1, 9), 5, r.number("i", 1, 5), r.number("e", 1, 20), 2
		l.ForgetMS = 60_000
		return Command{Op: op, Body: l}
	}
	return Command{Op: op}
}

// allOps are all kinds, the frequent ones several times.
var allOps = []Op{OpTxn, OpTxn, OpTxn, OpTxn, OpTxn, OpJoin, OpJoin, OpJoin, OpExpire, OpExpire, OpRollback, OpFreeze, OpRolloutStart,
	OpRolloutStart, OpRolloutAdvance, OpRolloutAdvance, OpRolloutAbort, OpRolloutBreak, OpReport, OpReport, OpLeave, OpToken, OpLimits, "nonsense"}
