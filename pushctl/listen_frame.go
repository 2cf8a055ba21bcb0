package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pushfleet/pushctl/table"
)

// frameMax bounds one frame from the node, in bytes.
const frameMax = 16 << 20

// frame is what a listener looks at in a data or control frame.
type frame struct {
	Type    string          `json:"type"`
	Seq     uint32          `json:"seq"`
	Pos     string          `json:"pos"`
	ID      string          `json:"id"`
	Group   string          `json:"group"`
	Data    json.RawMessage `json:"data"`
	Conn    string          `json:"conn"`
	PingMS  int64           `json:"ping_ms"`
	From    uint32          `json:"from"`
	To      uint32          `json:"to"`
	Count   uint32          `json:"count"`
	Reason  string          `json:"reason"`
	After   string          `json:"after"`
	AfterMS int64           `json:"after_ms"`
	Code    json.RawMessage `json:"code"` // a number in close, a word in error
	Message string          `json:"message"`
}

// closed says that a close frame came and what it held.
func (f *frame) closed() (ending, bool) {
	if f.Type != "close" {
		return ending{}, false
	}
	code, _ := strconv.Atoi(string(f.Code))
	return ending{code: code, reason: f.Reason}, true
}

// frame takes one frame, prints it, and remembers what a reconnect needs.
func (l *listener) frame(b []byte) (*frame, error) {
	f := &frame{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("the node sent a frame that is no JSON: %w", err)
	}
	switch f.Type {
	case "hello":
		l.connected = true
		l.ping = time.Duration(f.PingMS) * time.Millisecond
	case "drain":
		l.draining, l.drainAfter = true, min(time.Minute, time.Duration(max(0, f.AfterMS))*time.Millisecond)
	}
	if f.Pos != "" {
		l.last = f.Pos
	}
	if err := l.show(f, b); err != nil {
		return nil, err
	}
	if f.Type == "" {
		if l.seen++; l.count > 0 && l.seen >= l.count {
			return f, errEnough
		}
	}
	return f, nil
}

// show prints a frame: as it came for programs, a line for people. Pings are
// no news.
func (l *listener) show(f *frame, raw []byte) error {
	if !l.forPeople() {
		doc := json.RawMessage(strings.Clone(string(raw)))
		return l.print(&view{docs: []any{doc}, rows: []any{doc}})
	}
	if f.Type == "ping" || (f.Type == "hello" && l.proto == "poll" && l.everBeen) {
		return nil
	}
	text, mark := frameText(f)
	if l.wide() {
		text = string(raw)
	}
	if l.proto == "poll" && f.Type == "close" && strings.TrimSpace(string(f.Code)) == "1000" {
		return nil
	}
	_, err := fmt.Fprintln(l.out, l.style.Apply(mark, l.now().Format("15:04:05.000")+"  "+table.Safe(text)))
	return err
}

func frameText(f *frame) (string, table.Mark) {
	switch f.Type {
	case "":
		head := strconv.Itoa(int(f.Seq))
		for _, p := range [][2]string{{"group ", f.Group}, {"id ", f.ID}} {
			if p[1] != "" {
				head += "  " + p[0] + p[1]
			}
		}
		return head + "  " + string(f.Data), table.Plain
	case "hello":
		return "hello  conn " + f.Conn + "  ping every " + table.Seconds(float64(f.PingMS)/1000), table.Faint
	case "gap":
		if f.After != "" {
			return "gap  messages after " + f.After + " are lost (" + f.Reason + ")", table.Bad
		}
		return fmt.Sprintf("gap  %d to %d, %s lost (%s)", f.From, f.To, table.Plural(int64(f.Count), "message"), f.Reason), table.Bad
	case "drain":
		return "drain  the node asks to reconnect after " + table.Seconds(float64(f.AfterMS)/1000), table.Warn
	case "close":
		return "close  " + string(f.Code) + " " + f.Reason, table.Warn
	case "error":
		return "error  " + string(f.Code) + " " + f.Message, table.Bad
	}
	return f.Type, table.Faint
}

// path is the request of the next connection.
func (l *listener) path() string {
	q := url.Values{"resume": {"1"}}
	if l.token == "" && l.user != "" {
		q.Set("user", l.user)
	}
	if len(l.groups) > 0 {
		q["group"] = l.groups
	}
	if l.last != "" {
		q.Set("last", l.last)
	}
	if l.proto == "poll" {
		q.Set("poll", "25")
	}
	return "/connect?" + q.Encode()
}

// silence is how long a node may say nothing before it is taken for gone.
func (l *listener) silence() time.Duration {
	if l.ping <= 0 {
		return 2 * time.Minute
	}
	return 3*l.ping + 5*time.Second
}
