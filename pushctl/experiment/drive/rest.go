package drive

// resting is connections that have ended and whose user may come back and ask
// for what it missed: the swarm remembers, by the connection's number, up to
// where that user has read. Guarded by Driver.mu.
type resting struct {
	of    map[string]int32 // user to slot
	order []rest           // the oldest first; void where of says otherwise
}

type rest struct {
	user string
	slot int32
}

// put keeps a slot for a user. It returns one that is not kept any more, or -1.
func (r *resting) put(user string, slot int32) (freed int32) {
	freed = -1
	if old, has := r.of[user]; has {
		freed = old
	}
	r.of[user] = slot
	r.order = append(r.order, rest{user, slot})
	if len(r.order) > 2*len(r.of)+64 {
		r.tidy()
	}
	return freed
}

// take returns the slot that is kept for a user.
func (r *resting) take(user string) (slot int32, has bool) {
	slot, has = r.of[user]
	delete(r.of, user)
	return slot, has
}

// oldest gives up the slot that is kept longest.
func (r *resting) oldest() (slot int32, has bool) {
	for len(r.order) > 0 {
		first := r.order[0]
		r.order = r.order[1:]
		if now, kept := r.of[first.user]; kept && now == first.slot {
			return r.take(first.user)
		}
	}
	return 0, false
}

func (r *resting) tidy() {
	valid := make([]rest, 0, len(r.of))
	for _, e := range r.order {
		if now, kept := r.of[e.user]; kept && now == e.slot {
			valid = append(valid, e)
		}
	}
	r.order = valid
}

// slotFor finds a connection for a user; last tells that it is the one that
// user had before.
func (d *Driver) slotFor(user string, resumes bool) (n int32, last, ok bool) {
	if resumes {
		if n, ok = d.resting.take(user); ok {
			return n, true, true
		}
	}
	if end := len(d.free) - 1; end >= 0 {
		n, d.free = d.free[end], d.free[:end]
		return n, false, true
	}
	n, ok = d.resting.oldest()
	return n, false, ok
}

// giveBack keeps the slot of a copy that has ended for its user, if that may
// resume.
func (d *Driver) giveBack(n int32, c *mirrored, number int) {
	if c.resumes && len(c.users) == 1 { // positions are of one user
		if n = d.resting.put(derive(c.users[0], number), n); n < 0 {
			return
		}
	}
	d.free = append(d.free, n)
}
