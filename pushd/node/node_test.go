package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"pushfleet/internal/testnode"
)

func TestWebPagesOfOtherOriginsCannotPublish(t *testing.T) {
	n := testnode.Start(t, nil)
	f := func(origin string, want int) {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+n.PrivateAddr()+"/v1/send", strings.NewReader(`{"user":"u","data":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want || (want == 403) != strings.HasPrefix(string(body), `{"code":"cross_origin","error":"`) {
			t.Errorf("origin %q: status %d, want %d: %s", origin, resp.StatusCode, want, body)
		}
	}
	f("", 200)
	f("http://"+n.PrivateAddr(), 200)
	f("http://evil.example", 403)
}

func TestStatsAndMetricsAgree(t *testing.T) {
	n := testnode.Start(t, nil)
	if s := n.Stats(); s.State != "serving" || len(s.Loops) != 2 || s.Memory.PSSBytes == 0 || s.Memory.OwnBytes == 0 || s.Memory.OwnBytes >= s.Memory.PSSBytes || s.Process.FDMax == 0 {
		t.Errorf("figures of an idle node: %+v", *s)
	}
	resp, err := http.Get("http://" + n.PrivateAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pushd_deliver_latency_seconds_count 0", `pushd_loop_turn_seconds_bucket{le="+Inf"}`, "pushd_ready 1"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

func TestASecondNodeOnTheSamePlaceIsRefused(t *testing.T) {
	n := testnode.Start(t, nil)
	if err := testnode.Try(t, func(c *testnode.Config) { c.Private = n.PrivateAddr() }); err == nil || !strings.Contains(err.Error(), "--private") {
		t.Errorf("same private address: %v", err)
	}
	if err := testnode.Try(t, func(c *testnode.Config) { c.AdminSocket = n.AdminSocket() }); err == nil || !strings.Contains(err.Error(), "--admin-socket") {
		t.Errorf("same admin socket: %v", err)
	}
}
