package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
)

// completeTime bounds what a shell waits for keepers or a node.
const completeTime = 500 * time.Millisecond

// fleetWords are the arguments that keepers know: names of knobs, nodes,
// rollouts, members and tokens.
func fleetWords(ctx context.Context, e *env, l *line, command string) []candidate {
	first := len(l.words) == 0
	switch command {
	case "knob get", "knob explain", "knob history", "knob freeze", "knob thaw": // a shell would expand the * of the last two
		if first {
			return knobNamesInReach(ctx, e, l)
		}
	case "knob set":
		if len(l.words)%2 == 0 {
			return knobNamesInReach(ctx, e, l)
		}
		return knobValues(ctx, e, l)
	case "knob unset", "knob watch":
		return knobNamesInReach(ctx, e, l)
	case "knob rollback":
		if !first {
			return knobNamesInReach(ctx, e, l)
		}
	case "knob diff":
		if len(l.words) < 2 {
			return nodesInReach(ctx, e, l)
		}
	case "knob rollout status", "knob rollout watch", "knob rollout advance", "knob rollout abort":
		if first {
			return rolloutsInReach(ctx, e, l)
		}
	case "keeper limits set":
		if first {
			return plainWords(limitNames())
		}
	}
	if !first {
		return nil
	}
	return memberWords(ctx, e, l, command)
}

// memberWords are the arguments of commands about nodes and keepers.
func memberWords(ctx context.Context, e *env, l *line, command string) []candidate {
	switch command {
	case "nodes", "nodes forget":
		return nodesInReach(ctx, e, l)
	case "keeper remove", "keeper transfer":
		s, err := askFleet(ctx, e, l, (*keeperapi.Client).Status)
		if err != nil {
			return nil
		}
		var out []candidate
		for _, m := range s.Members {
			out = append(out, candidate{m.ID, m.Address})
		}
		return out
	case "keeper tokens remove":
		ts, err := askFleet(ctx, e, l, stale((*keeperapi.Client).Tokens))
		if err != nil {
			return nil
		}
		var out []candidate
		for _, t := range ts {
			out = append(out, candidate{t.Name, string(t.Role)})
		}
		return out
	}
	return nil
}

// stale is a question to whichever keeper answers: a word too many does no
// harm.
func stale[T any](f func(*keeperapi.Client, context.Context, keeperapi.Read) (T, error)) func(*keeperapi.Client, context.Context) (T, error) {
	return func(c *keeperapi.Client, ctx context.Context) (T, error) {
		return f(c, ctx, keeperapi.Read{Stale: true})
	}
}

// askFleet asks the keepers that the line names, briefly: a shell is waiting.
func askFleet[T any](ctx context.Context, e *env, l *line, f func(*keeperapi.Client, context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	var none T
	flags := keepers{addrs: splitList(strings.Join(given(l, "--keeper"), ",")), ca: strings.Join(given(l, "--keeper-ca"), ""),
		tokenFile: strings.Join(given(l, "--token-file"), "")}
	k, err := chooseKeepers(flags, strings.Join(given(l, "--context"), ""), e.getenv, e.config)
	if err != nil {
		return none, err
	}
	fl, err := (&options{env: e, timeout: completeTime}).fleet(ctx, k)
	if err != nil {
		return none, err
	}
	defer fl.Close()
	return f(fl.Client, ctx)
}

// knobWord is a knob as completion needs it.
type knobWord struct {
	name, text string
	values     []string
}

// knobsInReach asks the keepers, or a node where there is none.
func knobsInReach(ctx context.Context, e *env, l *line) []knobWord {
	ks, err := askFleet(ctx, e, l, stale((*keeperapi.Client).Knobs))
	if err != nil {
		return knobsOfNode(ctx, e, l)
	}
	var out []knobWord
	for _, k := range ks {
		out = append(out, knobWord{k.Name, k.Help, k.Decl.Values})
	}
	return out
}

// knobsOfNode asks the first node.
func knobsOfNode(ctx context.Context, e *env, l *line) []knobWord {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	nodes, err := chooseNodes(given(l, "--node"), strings.Join(given(l, "--context"), ""), e.getenv("PUSHCTL_NODE"), e.config)
	if err != nil {
		return nil
	}
	if nodes == nil {
		n, err := findNode(ctx, defaultNodes(e.getenv))
		if err != nil {
			return nil
		}
		nodes = []string{n}
	}
	ks, err := pushdapi.New(nodes[0], pushdapi.Options{}).Knobs(ctx)
	if err != nil {
		return nil
	}
	var out []knobWord
	for _, k := range ks {
		w := knobWord{k.Name, k.Value + " " + k.Unit + "  " + k.Help, k.Values}
		if k.Type == "bool" && len(w.values) == 0 {
			w.values = []string{"on", "off"}
		}
		out = append(out, w)
	}
	return out
}

func knobNamesInReach(ctx context.Context, e *env, l *line) []candidate {
	var out []candidate
	for _, k := range knobsInReach(ctx, e, l) {
		if !slices.Contains(l.words, k.name) {
			out = append(out, candidate{k.name, k.text})
		}
	}
	return out
}

// knobValues are the choices of the knob whose value is being typed.
func knobValues(ctx context.Context, e *env, l *line) []candidate {
	for _, k := range knobsInReach(ctx, e, l) {
		if k.name == l.words[len(l.words)-1] {
			return plainWords(k.values)
		}
	}
	return nil
}

func nodesInReach(ctx context.Context, e *env, l *line) []candidate {
	ns, err := askFleet(ctx, e, l, stale((*keeperapi.Client).Nodes))
	if err != nil {
		return nil
	}
	var out []candidate
	for _, n := range ns {
		if !slices.Contains(l.words, n.ID) {
			out = append(out, candidate{n.ID, n.Address})
		}
	}
	return out
}

func rolloutsInReach(ctx context.Context, e *env, l *line) []candidate {
	rs, err := askFleet(ctx, e, l, stale((*keeperapi.Client).Rollouts))
	if err != nil {
		return nil
	}
	var out []candidate
	for _, r := range slices.Backward(rs) {
		out = append(out, candidate{r.ID, string(r.Phase)})
	}
	return out
}

// scopesInReach are the fleet, the labels of its nodes, and the nodes.
func scopesInReach(ctx context.Context, e *env, l *line) []candidate {
	out := []candidate{{string(keeperapi.Fleet), "every node"}}
	ns, err := askFleet(ctx, e, l, stale((*keeperapi.Client).Nodes))
	if err != nil {
		return out
	}
	labels := map[string]int{}
	for _, n := range ns {
		for k, v := range n.Labels {
			labels[k+"="+v]++
		}
	}
	for _, s := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, candidate{word: s})
	}
	for _, n := range ns {
		out = append(out, candidate{string(keeperapi.NodeScope(n.ID)), n.Address})
	}
	return out
}
