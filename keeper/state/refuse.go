package state

import (
	"fmt"
	"strings"

	"pushfleet/internal/keeperapi"
)

// refuse makes a refusal; the sentence ends with what to do.
func refuse(code keeperapi.Code, format string, args ...any) *keeperapi.Error {
	return &keeperapi.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func refuseKnob(code keeperapi.Code, knob, format string, args ...any) *keeperapi.Error {
	e := refuse(code, format, args...)
	e.Knob = knob
	return e
}

// short bounds a text in bytes.
func short(field, text string, limit int) *keeperapi.Error {
	if len(text) <= limit {
		return nil
	}
	return refuse(keeperapi.CodeTooLong, "%s has %d bytes, allowed are %d: shorten it", field, len(text), limit)
}

// shortened cuts a text that is quoted in a message.
func shortened(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// named tells whether s is 1 to limit letters, digits or marks of a name.
func named(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			continue
		}
		if !strings.ContainsRune("_.:/@-", rune(c)) {
			return false
		}
	}
	return true
}

// checkScope refuses what cannot be a scope of a value.
func checkScope(sc keeperapi.Scope) *keeperapi.Error {
	if sc == keeperapi.Fleet {
		return nil
	}
	name, value := sc.Label()
	if name == "canary" || !named(name, 64) || !named(value, 128) {
		return refuse(keeperapi.CodeScope, "%q is no scope: write fleet, label=value or node=name", shortened(string(sc)))
	}
	return nil
}
