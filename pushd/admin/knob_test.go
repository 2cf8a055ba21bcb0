package admin

import (
	"errors"
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
)

func TestKnobsAreListedAndRead(t *testing.T) {
	b := newBench(t)
	all, err := b.client.Knobs(t.Context())
	if err != nil || len(all) != 8 || all[0].Name != "admin.concurrency" {
		t.Errorf("Knobs: %+v, %v", all, err)
	}
	k, err := b.client.Knob(t.Context(), "queue.messages_max")
	if err != nil || k.Value != "1024" || k.Min != "1" || k.Max != "65536" || k.Unit != "messages" || k.Source != "default" || k.Acts != "live" || k.Risk != "low" || k.Type != "int" {
		t.Errorf("Knob: %+v, %v", k, err)
	}
	b.refused(t, "GET", "/v1/knobs/queue.message_max", "", 404, "unknown_knob", "did you mean queue.messages_max")
}

func TestKnobIsSet(t *testing.T) {
	b := newBench(t)
	set := func(s pushdapi.KnobSet) (*pushdapi.KnobChange, error) {
		return b.client.SetKnob(t.Context(), "queue.messages_max", s)
	}
	value := func(want, source string) {
		t.Helper()
		k, err := b.client.Knob(t.Context(), "queue.messages_max")
		if err != nil || k.Value != want || k.Source != source {
			t.Errorf("the knob is %+v (%v), want %s from %s", k, err, want, source)
		}
	}
	want := pushdapi.KnobChange{Name: "queue.messages_max", Old: "1024", New: "256", Acts: "live", Revision: 1, DryRun: true}
	if c, err := set(pushdapi.KnobSet{Value: "256", DryRun: true}); err != nil || *c != want {
		t.Errorf("dry run: %+v, %v; want %+v", c, err, want)
	}
	value("1024", "default")

	want.DryRun = false
	if c, err := set(pushdapi.KnobSet{Value: "256", Why: "INC-311"}); err != nil || *c != want {
		t.Errorf("set: %+v, %v; want %+v", c, err, want)
	}
	value("256", "admin")
	if k, _ := b.client.Knob(t.Context(), "queue.messages_max"); k.Why != "INC-311" || k.At.IsZero() {
		t.Errorf("why and when are not kept: %+v", k)
	}

	if c, err := set(pushdapi.KnobSet{Value: "512", IfRev: 1}); err != nil || c.Revision != 2 {
		t.Errorf("set at the right revision: %+v, %v", c, err)
	}
	_, err := set(pushdapi.KnobSet{Value: "300", IfRev: 1})
	if e, ok := errors.AsType[*pushdapi.Error](err); !ok || e.Status != 409 || e.Code != "revision" || !strings.Contains(e.Message, "revision 2") {
		t.Errorf("set at an old revision: %v", err)
	}
	value("512", "admin")
}

func TestKnobRefusals(t *testing.T) {
	b := newBench(t)
	const path = "/v1/knobs/queue.messages_max"
	f := func(body string, status int, code string, words ...string) {
		t.Helper()
		b.refused(t, "PUT", path, body, status, code, words...)
	}
	f(`{"value":"0"}`, 400, "range", "queue.messages_max", "1 to 65536 messages")
	f(`{"value":"many"}`, 400, "syntax", "many")
	f(`{"value":"70000","dry_run":true}`, 400, "range", "65536")
	f(`{"vaule":"1"}`, 400, "bad_body", `"vaule"`, "value, why, dry_run, if_rev")
	f(`{"value":1}`, 400, "bad_body", `"value"`, "string")
	f(`{"why":"x"}`, 400, "bad_body", `"value"`)
	f(``, 400, "bad_body", "empty")
	f(`[1]`, 400, "bad_body")
	f(`{"value":"1"`, 400, "bad_body", "not JSON")
	f(`{"value":"1"} {"value":"2"}`, 400, "bad_body", "one object")
	f(`{"value":"1","if_rev":9}`, 409, "revision", "revision 0, not 9")
	f(`{"value":"1","why":"`+strings.Repeat("w", WhyMax+1)+`"}`, 400, "bad_body", "why")
	f(`{"value":"1","why":"`+strings.Repeat("w", BodyMax)+`"}`, 413, "too_large", "65536")
	b.refused(t, "PUT", "/v1/knobs/queue.mesages_max", `{"value":"1"}`, 404, "unknown_knob", "did you mean")
	b.refused(t, "PUT", path+"?dry_run=1", `{"value":"1"}`, 400, "bad_query", "dry_run")
	if k, err := b.registry.Get("queue.messages_max"); err != nil || k.Value != "1024" || k.Source != "default" {
		t.Errorf("a refused change changed the knob: %+v, %v", k, err)
	}
}
