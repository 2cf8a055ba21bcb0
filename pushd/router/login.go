package router

import "pushfleet/internal/push"

// Login makes user reachable over the connection h, whose list begins with
// head, and returns the list's new head. Logging in twice changes nothing. A
// resume that is not nil makes the user resumable and is filled under the same
// lock: what was published before is in it, what comes after is routed to h.
// Errors are ErrName, ErrUsers, ErrSessions and ErrFull.
//
// Only the loop that owns h may call it, as Logout and Drop.
func (r *Router) Login(user string, h push.Handle, head Link, resume *Resume) (Link, error) {
	if user == "" || len(user) > push.UserIDMax {
		return head, ErrName
	}
	users := int64(0)
	r.walk(h, head, func(*shard, Link, session) bool { users++; return true })
	name := []byte(user)
	s, tag := r.lookup(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u := s.find(tag, name)
	if u != 0 {
		if again, n := s.holds(u, h); again {
			s.resume(u, resume, true)
			return head, nil
		} else if n >= r.knobs.SessionsMax.Get() {
			return head, ErrSessions
		}
	}
	if users >= r.knobs.UsersMax.Get() {
		return head, ErrUsers
	}
	return s.login(tag, u, name, h, head, resume)
}

func (s *shard) login(tag, u uint32, name []byte, h push.Handle, head Link, resume *Resume) (Link, error) {
	fresh := u == 0
	if fresh {
		if u = s.insert(tag, name); u == 0 {
			return head, ErrFull
		}
	}
	back := !fresh && !s.online(u)
	l, ok := s.attach(u, h, head)
	if !ok {
		if fresh {
			s.remove(u)
		}
		return head, ErrFull
	}
	if back {
		s.comeBack(u)
	}
	s.resume(u, resume, false)
	return l, nil
}

// Logout takes user off the connection and returns the list's new head. ok is
// false if it was not logged in there.
func (r *Router) Logout(user string, h push.Handle, head Link) (newHead Link, ok bool) {
	var last, found, after Link
	name := []byte(user)
	r.walk(h, head, func(s *shard, l Link, e session) bool {
		if s.named(&s.users[e.user], name) {
			found, after = l, *e.next
			return false
		}
		last = l
		return true
	})
	if found == 0 {
		return head, false
	}
	if last == 0 {
		head = after
	} else {
		r.relink(last, h, after)
	}
	r.end(found)
	return head, true
}

func (r *Router) relink(l Link, h push.Handle, next Link) {
	s := &r.shards[l.shard()]
	s.mu.Lock()
	if e, ok := s.at(l, h); ok {
		*e.next = next
	}
	s.mu.Unlock()
}

// Drop forgets a connection that has ended. Its list is empty afterwards.
func (r *Router) Drop(h push.Handle, head Link) {
	for head != 0 {
		s := &r.shards[head.shard()]
		s.mu.Lock()
		e, ok := s.at(head, h)
		if !ok {
			s.mu.Unlock()
			return
		}
		next := *e.next
		s.end(head, e.user)
		s.mu.Unlock()
		head = next
	}
}

func (r *Router) end(l Link) {
	s := &r.shards[l.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	u := l.index()
	if l.more() {
		u = s.links[u].user
	}
	s.end(l, u)
}

// end removes one session, and its user if nothing keeps it.
func (s *shard) end(l Link, u uint32) {
	s.detach(l)
	if !s.online(u) && !s.keep(u) {
		s.remove(u)
	}
}

// walk calls f with each of a connection's users, under the shard's lock, until
// f returns false. A list that changes meanwhile may end early.
func (r *Router) walk(h push.Handle, head Link, f func(*shard, Link, session) bool) {
	// The bound only matters to a stale reader that is led in a circle.
	for n := 0; head != 0 && n < 1<<16; n++ {
		s := &r.shards[head.shard()]
		s.mu.Lock()
		e, ok := s.at(head, h)
		if ok {
			next := *e.next
			ok = f(s, head, e)
			head = next
		}
		s.mu.Unlock()
		if !ok {
			return
		}
	}
}

// Users returns the users of a connection, the last login first. It may be
// called from any goroutine; if the connection changes meanwhile, some may be
// missing.
func (r *Router) Users(h push.Handle, head Link) (users []string) {
	r.walk(h, head, func(s *shard, _ Link, e session) bool {
		users = append(users, string(s.appendName(nil, &s.users[e.user])))
		return true
	})
	return users
}

// First returns the user that logged in last on a connection; "" if none.
func (r *Router) First(h push.Handle, head Link) (user string) {
	r.walk(h, head, func(s *shard, _ Link, e session) bool {
		user = string(s.appendName(nil, &s.users[e.user]))
		return false
	})
	return user
}
