package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	f := func(in string, want Command) {
		t.Helper()
		got, err := ParseCommand([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %+v, %v; want %+v", in, got, err, want)
		}
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	f(`{"type":"bind","group":"g","ref":1}`, Command{Type: CmdBind, Group: "g", Ref: raw("1")})
	f(`{"type":"unbind","group":"g","ref":"x"}`, Command{Type: CmdUnbind, Group: "g", Ref: raw(`"x"`)})
	f(" {\n\t\"user\" : \"u\" ,\r\n \"type\" : \"login\" } ", Command{Type: CmdLogin, User: "u"})
	f(`{"type":"login","token":"a.b.c","user":null}`, Command{Type: CmdLogin, Token: "a.b.c"})
	f(`{"type":"logout","user":"\u00e9\"\\"}`, Command{Type: CmdLogout, User: `é"\`})
	f(`{"type":"ack","seq":4294967295}`, Command{Type: CmdAck, Seq: 1<<32 - 1})
	f(`{"type":"up","data":{"a":[1,"]}\"",{}],"type":"x"},"ref":-1.5e3}`,
		Command{Type: CmdUp, Data: raw(`{"a":[1,"]}\"",{}],"type":"x"}`), Ref: raw("-1.5e3")})
	f(`{"type":"up","data":null}`, Command{Type: CmdUp, Data: raw("null")})
	f(`{"type":"up","data":false }`, Command{Type: CmdUp, Data: raw("false")})
	f(`{"type":"ping","ref":null}`, Command{Type: CmdPing})
	f(`{"type":"ping","group":5,"other":[[[]]],"":{}}`, Command{Type: CmdPing})
	f(`{"\u0074ype":"p\u0069ng","Type":"bind","TYPE":1}`, Command{Type: CmdPing})
	f(`{"type":"bind","group":1,"type":"ping"}`, Command{Type: CmdPing})
	f(`{"type":"bind","group":"`+strings.Repeat("g", 255)+`"}`, Command{Type: CmdBind, Group: strings.Repeat("g", 255)})
}

func TestParseCommandRefuses(t *testing.T) {
	f := func(in, code, says string) {
		t.Helper()
		c, err := ParseCommand([]byte(in))
		var e *CommandError
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, says) {
			t.Errorf("%s = %+v, %v; want %s with %q", in, c, err, code, says)
		}
		if strings.Contains(in, `"ref":7`) && string(c.Ref) != "7" {
			t.Errorf("%s: ref %q is lost", in, c.Ref)
		}
	}
	for _, in := range []string{"", " ", "x", "{", `{"type":"ping"`, `{"type":"ping",}`, `{"type":"ping"}{}`, "{'type':1}", "\x00", "[1]", `"ping"`, "7", "null", "[]"} {
		f(in, "bad_json", "")
	}
	f(`{}`, "missing_field", "type")
	f(`{"ref":7}`, "missing_field", "type")
	f(`{"type":null}`, "missing_field", "type")
	f(`{"type":1}`, "bad_field", "type")
	f(`{"type":""}`, "bad_field", "type")
	f(`{"type":"PING","ref":7}`, "unknown_type", "PING")
	f(`{"type":"`+strings.Repeat("x", 33)+`"}`, "bad_field", "type")
	f(`{"type":"bind","ref":7}`, "missing_field", "group")
	f(`{"type":"unbind","group":null}`, "missing_field", "group")
	f(`{"type":"bind","group":""}`, "bad_field", "group")
	f(`{"type":"bind","group":["g"]}`, "bad_field", "group")
	f(`{"type":"bind","group":"`+strings.Repeat("g", 256)+`"}`, "bad_field", "group")
	f(`{"type":"bind","group":"a\nb"}`, "bad_field", "group")
	f(`{"type":"login"}`, "missing_field", "token")
	f(`{"type":"login","user":1}`, "bad_field", "user")
	f(`{"type":"login","token":"`+strings.Repeat("t", TokenMax+1)+`"}`, "bad_field", "token")
	f(`{"type":"logout","token":"t"}`, "missing_field", "user")
	f(`{"type":"ack"}`, "missing_field", "seq")
	for _, seq := range []string{"0", "-1", "1.0", "1e3", "4294967296", `"1"`, "true", "[1]"} {
		f(`{"type":"ack","seq":`+seq+`,"ref":7}`, "bad_field", "seq")
	}
	f(`{"type":"up","ref":7}`, "missing_field", "data")
	for _, ref := range []string{"true", "{}", "[7]", `"` + strings.Repeat("r", RefMax) + `"`} {
		f(`{"type":"ping","ref":`+ref+`}`, "bad_field", "ref")
	}
}

func TestAckAllocatesNothing(t *testing.T) {
	if raceBuild {
		t.Skip("under the race detector the pools of encoding/json forget at random")
	}
	for _, in := range []string{`{"type":"ack","seq":123456,"ref":1}`, `{"type":"up","data":{"x":[1,2]}}`} {
		b := []byte(in)
		n := testing.AllocsPerRun(1000, func() {
			if _, err := ParseCommand(b); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want 0", in, n)
		}
	}
}
