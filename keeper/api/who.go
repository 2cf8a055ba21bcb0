package api

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pushfleet/internal/keeperapi"
)

// identity is who asks, from where, and what he may.
type identity struct {
	Who  string         `json:"who"`
	From string         `json:"from"`
	Role keeperapi.Role `json:"role"`
}

// Door is how a request came in.
type Door int

// The doors.
const (
	DoorTCP   Door = iota // a token says who, see identify
	DoorLocal             // TCP on loopback: open to all until the first token is made
	DoorUnix              // the kernel says who
	DoorLink              // another member, which has let its asker in
)

type doorKey struct{}

// entry is what is known of a connection.
type entry struct {
	door Door
	uid  int // of DoorUnix, -1 if not known
}

// ConnContext returns an http.Server's ConnContext for one door.
func ConnContext(d Door) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		e := entry{door: d, uid: -1}
		if u, ok := c.(*net.UnixConn); ok && d == DoorUnix {
			e.uid = peerUID(u)
		}
		return context.WithValue(ctx, doorKey{}, e)
	}
}

func peerUID(c *net.UnixConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid
}

// identityHeader carries an identity from the member that let its bearer in;
// only DoorLink is believed.
const identityHeader = "X-Keeper-Identity"

// identify says who asks. The socket's own user and root may do everything,
// others that its mode lets open it may operate. By TCP a token decides; on
// loopback everybody may do everything as long as no token exists.
func (s *Server) identify(r *http.Request, need keeperapi.Role) (identity, error) {
	e, _ := r.Context().Value(doorKey{}).(entry)
	claimed := clip(r.Header.Get("X-Who"), 60)
	if e.door == DoorLink {
		if text := r.Header.Get(identityHeader); text != "" {
			var who identity
			if err := json.Unmarshal([]byte(text), &who); err != nil {
				return who, refuse(keeperapi.CodeMalformed, "another member sent an identity that cannot be read; the members' versions differ too much")
			}
			return who, nil
		}
	}
	if e.door == DoorUnix {
		return fromSocket(e.uid, claimed), nil
	}
	t := ticket{who: claimed, from: peer(r), need: need}
	t.secret, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t.local = e.door == DoorLocal || e.door == DoorLink && r.Header.Get(localHeader) != ""
	return s.admit(r.Context(), t, e.door == DoorLink)
}

func fromSocket(uid int, claimed string) identity {
	who := identity{Who: userName(uid), From: "socket", Role: keeperapi.RoleOperate}
	if uid == 0 || uid == os.Geteuid() {
		who.Role = keeperapi.RoleAdmin
		if name, _, _ := strings.Cut(claimed, "@"); name != "" && name != who.Who { // sudo: who stands behind it
			who.Who = claimed + " as " + who.Who
		}
	}
	return who
}

func userName(uid int) string {
	if uid < 0 {
		return "uid ?"
	}
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// peer is where the request comes from, through another member too.
func peer(r *http.Request) string {
	if e, _ := r.Context().Value(doorKey{}).(entry); e.door == DoorLink {
		if f := r.Header.Get("X-Forwarded-For"); f != "" {
			return clip(f, 100)
		}
	}
	return r.RemoteAddr
}

func clip(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }
