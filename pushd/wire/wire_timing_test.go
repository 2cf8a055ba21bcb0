package wire

import "testing"

func BenchmarkParseRequest(b *testing.B) {
	head := []byte(get("/connect?user=ann", wsHeaders+"User-Agent: x\r\nOrigin: https://a.example\r\nSec-WebSocket-Protocol: push.v1\r\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseRequest(head); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCommand(b *testing.B) {
	for _, in := range []string{`{"type":"ack","seq":123456}`, `{"type":"bind","group":"room-17","ref":1}`} {
		b.Run(in[9:12], func(b *testing.B) {
			msg := []byte(in)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseCommand(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
