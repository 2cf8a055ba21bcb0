package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/testnode"
)

// A shadow refuses clients of its own, serves those of a tee, and counts what
// they would have sent to the back end.
func TestShadow(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.Shadow = true })
	resp, err := http.Get("http://" + n.Client() + "/connect?user=ann")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 503 || !strings.Contains(string(b), `"code":"shadow"`) {
		t.Errorf("a client of its own: %s %s", resp.Status, b)
	}

	conn, _, _, err := ws.Dial(t.Context(), "ws://"+n.Client()+"/connect?user=ann&tee=1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := wsutil.WriteClientText(conn, []byte(`{"type":"up","data":1}`)); err != nil {
		t.Fatal(err)
	}
	n.Eventually("the uplink was cut", func(s *pushdapi.Stats) bool { return s.ShadowCut[pushdapi.CutUplink] == 1 })
	s := n.Stats()
	if !s.Shadow || len(s.Clients) != 1 || s.Clients[0] != n.Client() || s.ClosedBy["shadow"] != 1 || s.Connections.Total != 1 {
		t.Errorf("figures of a shadow: %+v", *s)
	}
	if !strings.HasPrefix(n.StatusLine(), "serving as a shadow on ") {
		t.Error(n.StatusLine())
	}
}

func TestNoShadow(t *testing.T) {
	n := testnode.Start(t, nil)
	if s := n.Stats(); s.Shadow || s.ShadowCut != nil {
		t.Errorf("figures of a node that is no shadow: %+v", *s)
	}
}
