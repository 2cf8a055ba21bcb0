package keeperapi

import (
	"testing"
	"time"
)

func TestScope(t *testing.T) {
	labels := map[string]string{"app": "shop", "node": "gw-2"}
	f := func(s Scope, layer Layer, covers bool) {
		t.Helper()
		if s.Layer() != layer || s.Covers("gw-1", labels) != covers {
			t.Errorf("%s is in %s and covers %t, want %s, %t", s, s.Layer(), s.Covers("gw-1", labels), layer, covers)
		}
	}
	f(Fleet, LayerFleet, true)
	f("app=shop", LayerGroup, true)
	f("app=chat", LayerGroup, false)
	f("region=", LayerGroup, false) // an absent label is not an empty one
	f(NodeScope("gw-1"), LayerNode, true)
	f(NodeScope("gw-2"), LayerNode, false) // whatever a label claims
	f(CanaryScope("ro7"), LayerCanary, false)
	f("shop", LayerGroup, false)
	f("", LayerGroup, false)
}

func TestHashIsOfTheContent(t *testing.T) {
	a := Schema{{Name: "b.x", Type: "int"}, {Name: "a.x", Type: "bool", Values: []string{"off", "on"}}}
	b := Schema{a[1], a[0]}
	if a.Hash() != b.Hash() || len(a.Hash()) != 32 {
		t.Errorf("the order counts: %s, %s", a.Hash(), b.Hash())
	}
	if a[0].Name != "b.x" {
		t.Error("Hash sorted its receiver")
	}
	b[0].Values = []string{"on", "off"}
	if a.Hash() == b.Hash() {
		t.Error("other values, same hash")
	}
}

func TestRoleAllows(t *testing.T) {
	f := func(have, need Role, want bool) {
		t.Helper()
		if have.Allows(need) != want {
			t.Errorf("%q allows %q: %t", have, need, !want)
		}
	}
	f(RoleAdmin, RoleRead, true)
	f(RoleOperate, RoleOperate, true)
	f(RoleRead, RoleOperate, false)
	f(RoleOperate, RoleAdmin, false)
	f("", RoleRead, false)
	f("", "", false)
	f(RoleAdmin, "owner", false)
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 11, 21, 14, 3, 7, 250_999_999, time.UTC)
	if got := TimeOf(at).Go(); !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%v became %v", at, got)
	}
	if !Time(0).Go().IsZero() {
		t.Error("none is some time")
	}
	if last := TimeMax.Go(); last.Year() != 9999 || TimeMax+1 != TimeOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("TimeMax is %v", last)
	}
}

func TestTouches(t *testing.T) {
	f := func(e Event, want bool) {
		t.Helper()
		if e.Touches("gw-1", map[string]string{"app": "shop"}) != want {
			t.Errorf("%+v touches: %t", e, !want)
		}
	}
	f(Event{Kind: KindSet, Scope: Fleet}, true)
	f(Event{Kind: KindExpired, Scope: "app=chat"}, false)
	f(Event{Kind: KindRolloutStep, Scope: Fleet, Rollout: "ro1", Nodes: []string{"gw-2"}}, false)
	f(Event{Kind: KindRolloutStep, Scope: Fleet, Rollout: "ro1", Nodes: []string{"gw-2", "gw-1"}}, true)
	f(Event{Kind: KindRolloutAbort, Scope: "app=shop", Rollout: "ro1", All: true}, true)
	f(Event{Kind: KindNodeDead, Node: "gw-1"}, false)
	f(Event{Kind: KindFreeze, Scope: Fleet}, false)
}
