package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/auth"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/router"
	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/proxy"
)

// Open implements reactor.Handler: a socket was accepted.
func (t *Table) Open(fd int, peer netip.AddrPort, from *reactor.Listener) (uint64, bool) {
	t.nowMS = reactor.MS(t.Loop.Now())
	t.totals.Accepted++
	if t.Shared.Open.Add(1) > t.Knobs.ConnsMax.Get() {
		t.refuse(fd, push.CloseMaxConns)
		return 0, false
	}
	slot, ok := t.slots.Take()
	if !ok {
		t.refuse(fd, push.CloseMaxConns)
		return 0, false
	}
	t.Cols.Used.Store(t.slots.High())
	c := &t.conns[slot]
	gen := c.gen + 1
	if gen == 0 {
		gen = 1
	}
	*c = Conn{fd: int32(fd), gen: gen, opened: t.nowMS, readAt: t.nowMS}
	t.setPeer(c, peer)
	t.lastSeen[slot] = t.nowMS
	t.totals.Open[push.ProtoNone]++
	state := StateHandshake
	if from.Proxy {
		state = StateProxy
		if !t.trusted(peer.Addr()) {
			// Watched sockets only can be closed the usual way.
			c.why = push.CloseProxy
		}
	}
	t.setState(slot, state)
	t.awaitRequest(slot, c)
	t.relievePressure()
	return uint64(gen)<<32 | uint64(slot), true
}

func (t *Table) trusted(a netip.Addr) bool {
	for _, p := range t.ProxyTrusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// refuse answers a connection that is one too many. The answer fits any fresh
// socket's buffer, so it is written at once or not at all.
func (t *Table) refuse(fd int, why push.CloseReason) {
	t.Shared.Open.Add(-1)
	t.totals.Closed[why]++
	_, _ = t.Loop.Budget().Write(fd, busyResponse)
	t.Loop.CloseFD(fd)
}

var busyResponse = []byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n" +
	"Content-Type: application/json\r\nContent-Length: 73\r\n\r\n" +
	`{"code":"max_conns","error":"this node is full; connect to another one"}` + "\n")

// awaitRequest bounds the time until a request is complete.
func (t *Table) awaitRequest(slot uint32, c *Conn) {
	t.due(slot, dueHandshake, t.Knobs.HandshakeTimeout.Get())
	t.oldest.push(entry{slot: slot, gen: c.gen})
}

// unfinished tells that a connection has not sent its request yet.
func (c *Conn) unfinished() bool { return c.state == StateHandshake || c.state == StateProxy }

// relievePressure closes the oldest unfinished handshakes when there are too
// many: a client that says nothing must not keep others out.
func (t *Table) relievePressure() {
	limit := t.Knobs.HandshakesMax.Get() / int64(max(1, t.Loop.Loops))
	if t.totals.Open[push.ProtoNone] <= max(1, limit) {
		return
	}
	for t.oldest.n > 0 {
		e := t.oldest.pop()
		if c := &t.conns[e.slot]; c.gen == e.gen && c.unfinished() {
			t.doom(e.slot, c, push.CloseHandshakePressure, "")
			return
		}
	}
}

// proxied reads the PROXY header; n is 0 while it is incomplete.
func (t *Table) proxied(slot uint32, b []byte) (n int) {
	c := &t.conns[slot]
	if c.why == push.CloseProxy {
		t.doom(slot, c, push.CloseProxy, "PROXY header from an address that is not in proxy_trusted")
		return 0
	}
	src, _, n, err := proxy.Parse(b)
	if err != nil {
		t.doom(slot, c, push.CloseProxy, err.Error())
		return 0
	}
	if n == 0 {
		return 0
	}
	if src.IsValid() {
		t.freePeer(c)
		t.setPeer(c, src)
	}
	t.setState(slot, StateHandshake)
	return n
}

// handshake reads a request; n is 0 while it is incomplete or refused.
func (t *Table) handshake(slot uint32, b []byte) (n int) {
	// A head over the bound is refused however it was cut into segments.
	req, n, err := wire.ParseRequest(b[:min(len(b), headMax)])
	var bad *wire.HTTPError
	switch {
	case errors.As(err, &bad):
		t.reject(slot, push.CloseBadRequest, bad, bad.Origin)
		return 0
	case n == 0:
		return 0
	}
	req.AllowOrigin = t.readableBy(req.Origin)
	if req.Preflight {
		t.answer(slot, push.CloseClient, "preflight", wire.AppendPreflight(t.scratch[:0], req))
		return 0
	}
	if t.Shadow && !req.Tee {
		t.reject(slot, push.CloseShadow, shadowOnly, req.Origin)
		return 0
	}
	id, bad, why := t.identify(req)
	if bad != nil {
		t.reject(slot, why, bad, req.Origin)
		return 0
	}
	t.welcome(slot, req, id)
	return n
}

// readableBy is the origin that may read an answer to a page of origin; "" none.
func (t *Table) readableBy(origin string) string {
	for _, o := range t.AllowOrigins {
		if o == "*" || o == origin {
			return o
		}
	}
	return ""
}

func (t *Table) identify(r *wire.Request) (id auth.Identity, bad *wire.HTTPError, why push.CloseReason) {
	var err error
	if t.Verifier == nil {
		id, err = auth.Open(r.Users, r.Groups)
	} else {
		id, err = t.Verifier.Verify(r.Token)
	}
	if err == nil {
		return id, nil, 0
	}
	code, why := "auth", push.CloseAuth
	var refused *auth.Error
	if errors.As(err, &refused) {
		code = string(refused.Code)
	}
	if code == "expired" {
		why = push.CloseExpired
	}
	return id, &wire.HTTPError{Status: http.StatusUnauthorized, Code: code, Message: err.Error()}, why
}

// reject answers a request that does not become a session; origin is of the
// page that asks, if it is known.
func (t *Table) reject(slot uint32, why push.CloseReason, e *wire.HTTPError, origin string) {
	t.answer(slot, why, e.Code+": "+e.Message, wire.AppendHTTPError(t.scratch[:0], e, t.readableBy(origin)))
}

// answer writes one whole response and closes.
func (t *Table) answer(slot uint32, why push.CloseReason, detail string, response []byte) {
	c := &t.conns[slot]
	c.set(flagClosed)
	c.why = why
	t.details[slot] = detail
	t.control(slot, c, response)
	t.closing(slot, c)
}

// welcome turns a request into a session.
func (t *Table) welcome(slot uint32, r *wire.Request, id auth.Identity) {
	c := &t.conns[slot]
	c.proto = r.Proto
	var resume *router.Resume
	if r.Resume && len(id.Users) == 1 {
		c.set(flagResume) // a position is of one user; with several it would not say whose
		resume = t.resumption(r.Last)
	} else if r.Last != "" {
		defer func() { t.controlFrame(slot, c, wire.TypeGap, wire.GapReplay(nil, r.Last, "")) }()
	}
	c.clear(flagKeep)
	if r.KeepAlive && r.Proto == push.ProtoPoll {
		c.set(flagKeep)
	}
	c.readLeft, c.readAt = uint16(t.Knobs.ReadRate.Get()), t.nowMS
	t.setExpiry(c, id.Expires)
	if len(id.Logins) > 0 || id.AnyLogin && t.Verifier != nil {
		t.logins[slot] = id
	}
	t.totals.Open[push.ProtoNone]--
	t.totals.Open[r.Proto]++
	t.setState(slot, StateOpen)
	if t.Tracer.Active() {
		t.traceOpen(slot, c, id.Users)
	}
	err := t.loginAll(slot, c, id.Users, resume)
	t.greet(slot, c, r, resume)
	if err != nil {
		t.details[slot] = err.Error()
		t.goodbye(slot, whyRefused(err))
		return
	}
	t.replay(slot, c, r.Last, resume)
	t.bindAll(slot, c, id.Groups)
	if r.Proto == push.ProtoPoll {
		t.due(slot, duePoll, r.Poll)
	}
	t.watchSilence(c)
	t.sample(slot, c, id.Users, id.Groups, r.Poll)
	t.markDirty(slot)
}

// bindAll joins the groups of a request. What fails is told in one frame: a
// token may name so many that a frame each would not fit.
func (t *Table) bindAll(slot uint32, c *Conn, groups []string) {
	failed, first := 0, error(nil)
	for _, g := range groups {
		if err := t.bind(slot, c, g); err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("group %q: %w", g, err)
			}
		}
	}
	if failed > 0 {
		t.error(slot, c, nil, "group", fmt.Sprintf("%d of %d groups not joined; %v", failed, len(groups), first))
	}
}

// greet queues the response head and the hello frame, after the users were
// logged in: whoever has seen the hello can be reached. Where there is a gap, it
// tells the position: a hello with one could be all that arrives.
func (t *Table) greet(slot uint32, c *Conn, r *wire.Request, resume *router.Resume) {
	codec, pos := codecs[c.proto], ""
	if resume != nil && !resume.Gap {
		pos = t.position(resume.From())
	}
	b := codec.Hello(t.scratch[:0], r)
	hello := wire.Hello(make([]byte, 0, 128), t.handle(slot).String(), int(t.Knobs.Interval[c.proto].Get()/time.Millisecond), t.Epoch, pos)
	t.queueControl(slot, c, codec.Control(b, wire.TypeHello, pos, hello))
}

func (t *Table) position(n uint32) string { return string(wire.AppendPos(nil, t.Epoch, n)) }

// resumption asks for what came after the client's last position, if it told
// one.
func (t *Table) resumption(last string) *router.Resume {
	q := &router.Resume{Ask: last != ""}
	if epoch, n, ok := wire.ParsePos(last); ok && epoch == t.Epoch {
		q.Epoch, q.After = true, n
	}
	return q
}

// replay offers what a resumable client missed after its last position.
func (t *Table) replay(slot uint32, c *Conn, last string, resume *router.Resume) {
	if resume == nil {
		return
	}
	c.pos = resume.Pos
	if resume.Gap {
		pos := t.position(resume.From())
		gap := wire.GapReplay(nil, last, pos)
		t.control(slot, c, codecs[c.proto].Control(make([]byte, 0, len(gap)+128), wire.TypeGap, pos, gap))
	}
	for _, m := range resume.Messages {
		t.offer(slot, c, m.Msg, m.Pos)
	}
}

// whyRefused is the reason for a login that the register refuses. What passes by
// itself must not tell the client to stay away.
func whyRefused(err error) push.CloseReason {
	switch {
	case errors.Is(err, router.ErrSessions):
		return push.CloseSessions
	case errors.Is(err, router.ErrFull):
		return push.CloseMaxConns
	}
	return push.CloseAuth
}

func (t *Table) loginAll(slot uint32, c *Conn, users []string, resume *router.Resume) error {
	for _, user := range users {
		if err := t.login(slot, c, user, resume); err != nil {
			return err
		}
	}
	return nil
}

// login makes a user reachable over the connection.
func (t *Table) login(slot uint32, c *Conn, user string, resume *router.Resume) error {
	head, err := t.Router.Login(user, t.handle(slot), c.users, resume)
	if err == nil {
		c.users = head
	}
	return err
}

// setExpiry ends the connection at the time given; zero changes nothing.
func (t *Table) setExpiry(c *Conn, at time.Time) {
	if at.IsZero() {
		return
	}
	c.set(flagExpires)
	// Rounded up; beyond 136 years a token lasts for ever.
	end := t.Loop.Now() + min(int64(max(0, time.Until(at))), 1<<62)
	c.expires = uint32(min((end+1e9-1)/1e9, math.MaxUint32))
}

func (t *Table) error(slot uint32, c *Conn, ref json.RawMessage, code, message string) {
	t.controlFrame(slot, c, wire.TypeError, wire.Err(nil, ref, code, message))
}
