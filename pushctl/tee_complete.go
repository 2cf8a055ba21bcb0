package main

import (
	"context"
	"strings"

	"pushfleet/pushctl/experiment"
)

// teeValues are the values of the flags of tee commands.
func teeValues(ctx context.Context, e *env, l *line, flag string) []candidate {
	switch flag {
	case "redact":
		return plainWords([]string{"payload", "names", "off"})
	case "allow":
		return plainWords(experiment.Allowable())
	case "stop-if":
		return plainWords(experiment.StopNames())
	case "set", "sweep":
		return knobsOfShadow(ctx, e, l)
	}
	return nil
}

// knobsOfShadow are the knobs that can be tried on the shadow of a line.
func knobsOfShadow(ctx context.Context, e *env, l *line) (out []candidate) {
	to := ""
	for _, flags := range l.flags {
		for _, f := range flags {
			if addr, ok := strings.CutPrefix(f, "--to="); ok {
				to = addr
			}
		}
	}
	if to == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recReach)
	defer cancel()
	o := &options{env: e, timeout: recReach}
	ks, err := o.client(to).Knobs(ctx)
	if err != nil {
		return nil
	}
	for _, k := range ks {
		if k.Acts == "live" {
			out = append(out, candidate{k.Name + "=", k.Help})
		}
	}
	return out
}
