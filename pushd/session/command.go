package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/auth"
	"pushfleet/pushd/wire"
)

// command obeys one client message.
func (t *Table) command(slot uint32, c *Conn, b []byte) {
	if c.ws.Binary() {
		if c.is(flagsTee) {
			t.teeIn(slot, c, b, false)
		}
		t.error(slot, c, nil, "binary", "binary messages mean nothing here; send JSON text")
		return
	}
	cmd, err := wire.ParseCommand(b)
	if c.is(flagsTee) && (err != nil || cmd.Token == "") {
		t.teeIn(slot, c, b, err == nil)
	}
	if err != nil {
		var bad *wire.CommandError
		if errors.As(err, &bad) {
			t.error(slot, c, cmd.Ref, bad.Code, bad.Message)
		}
		return
	}
	if c.is(flagTraced) {
		t.traceUp(slot, c, cmd.Type, len(b))
	}
	code, err := t.obey(slot, c, &cmd)
	switch {
	case c.state != StateOpen:
	case err != nil:
		t.error(slot, c, cmd.Ref, code, err.Error())
	case cmd.Type == "ping":
		t.controlFrame(slot, c, wire.TypePong, wire.Pong(nil, cmd.Ref))
	case cmd.Type == "ack" && len(cmd.Ref) == 0:
		// An ack is itself an answer.
	default:
		t.controlFrame(slot, c, wire.TypeOK, wire.OK(nil, cmd.Ref))
	}
}

func (t *Table) obey(slot uint32, c *Conn, cmd *wire.Command) (code string, err error) {
	switch cmd.Type {
	case "bind":
		return "group", t.bind(slot, c, cmd.Group)
	case "unbind":
		return "group", t.unbind(slot, c, cmd.Group)
	case "login":
		return "login", t.loginMore(slot, c, cmd)
	case "logout":
		head, ok := t.Router.Logout(cmd.User, t.handle(slot), c.users)
		if !ok {
			return "login", fmt.Errorf("user %q is not logged in on this connection", cmd.User)
		}
		c.users = head
	case "up":
		t.totals.UplinkNone++
		return "no_uplink", errors.New("this node has no back end for uplink data")
	}
	return "", nil
}

// loginMore adds users to an open session, if its token or the one that comes
// with the command allows it.
func (t *Table) loginMore(slot uint32, c *Conn, cmd *wire.Command) error {
	users := []string{cmd.User}
	var id auth.Identity
	switch {
	case cmd.Token != "":
		if t.Verifier == nil {
			return errors.New("this node does not know tokens; log in with a user")
		}
		var err error
		if id, err = t.Verifier.Verify(cmd.Token); err != nil {
			return err
		}
		if cmd.User == "" {
			users = id.Users
		} else if !id.MayLogin(cmd.User) {
			return fmt.Errorf("the token does not allow user %q", cmd.User)
		}
	case t.Verifier != nil && !t.logins[slot].MayLogin(cmd.User):
		return fmt.Errorf("the token of this connection does not allow user %q; log in with a token of that user", cmd.User)
	case t.Verifier == nil:
		if _, err := auth.Open(users, nil); err != nil {
			return err
		}
	}
	if c.is(flagsTee) && cmd.Token != "" {
		t.teeLogin(slot, c, cmd.Ref, users)
	}
	before := t.Router.Users(t.handle(slot), c.users)
	for _, u := range users {
		if err := t.login(slot, c, u, nil); err != nil {
			return err
		}
	}
	t.also(slot, c, users)
	if len(t.Router.Users(t.handle(slot), c.users)) > 1 {
		c.clear(flagResume) // a position would not say whose it is
	}
	t.renew(c, id.Expires, slices.Contains(before, users[0]))
	if t.Tracer.Active() {
		t.traceOpen(slot, c, users)
	}
	return nil
}

// renew takes over the end of a further token: a new token of a user that was
// logged in before prolongs the connection, one of another user can only
// shorten it.
func (t *Table) renew(c *Conn, at time.Time, same bool) {
	left := time.Duration(int64(c.expires)*1e9 - t.Loop.Now())
	if same || !c.is(flagExpires) || time.Until(at) < left {
		t.setExpiry(c, at)
	}
}

func (t *Table) bind(slot uint32, c *Conn, group string) error {
	idx, err := t.Router.GroupJoin(group, t.Loop.Index)
	if err != nil {
		return err
	}
	head, already, err := t.members.Add(idx, slot, c.groups)
	if already || err != nil {
		t.Router.GroupLeave(idx, t.Loop.Index)
		return err
	}
	c.groups = head
	return nil
}

func (t *Table) unbind(slot uint32, c *Conn, group string) error {
	if idx, _, _, ok := t.Router.GroupLookup([]byte(group)); ok {
		if head, was := t.members.Remove(idx, slot, c.groups); was {
			c.groups = head
			t.Router.GroupLeave(idx, t.Loop.Index)
			return nil
		}
	}
	return fmt.Errorf("this connection is not in group %q", group)
}

// answerClose echoes the client's Close frame and ends the connection.
func (t *Table) answerClose(slot uint32, c *Conn, payload []byte) {
	t.dropWaiting(slot, c)
	c.why = push.CloseClient
	if !c.is(flagClosed) {
		c.set(flagClosed)
		t.control(slot, c, appendCloseEcho(t.scratch[:0], payload))
	}
	t.closing(slot, c)
}
