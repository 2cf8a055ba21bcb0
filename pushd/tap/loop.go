package tap

import "pushfleet/internal/teewire"

// What a loop tells of its connections. Those that return a bool say by false
// that the record was left out for want of room: its connection has a hole,
// the reader is told, and of all that follows Lost is to be called.

// Adopt makes the loop's records part of the tee that State told.
func (s *Shard) Adopt(run uint64) { s.known = run }

// recordHead is more than a record takes beside names and data.
const recordHead = 64

// Open tells of a connection. Users and groups are redacted here.
func (s *Shard) Open(o *teewire.Open) (whole bool) {
	n := recordHead
	for _, names := range [...][]string{o.Users, o.Groups} {
		for _, name := range names {
			n += len(name) + 2
		}
		if len(names) > teewire.NamesMax {
			n += teewire.RecordMax
		}
	}
	switch s.enter(s.known, teewire.KindOpen, n) {
	case off:
		return true
	case lost:
		s.books.torn++ // its reader has not heard of it
		s.exit()
		return false
	}
	o.At = s.at(o.At)
	s.hide.all(o.Users)
	s.hide.all(o.Groups)
	s.cur.Open(o)
	s.books.conns++
	if o.Joined {
		s.books.joined++
	}
	s.exit()
	return true
}

// In tells of a client's command. known says that it is JSON that the node
// understood; of what is not, the size is told only.
func (s *Shard) In(at int64, conn uint64, data []byte, known bool) (whole bool) {
	switch s.enter(s.known, teewire.KindIn, recordHead+len(data)) {
	case off:
		return true
	case lost:
		return s.tear(conn)
	}
	s.scratch = append(s.scratch[:0], data...)
	s.redactCommand(s.scratch, known)
	s.cur.In(s.at(at), conn, s.scratch)
	s.exit()
	return true
}

// Out tells of a flush.
func (s *Shard) Out(o *teewire.Out) (whole bool) {
	switch s.enter(s.known, teewire.KindOut, recordHead) {
	case off:
		return true
	case lost:
		return s.tear(o.Conn)
	}
	o.At = s.at(o.At)
	s.cur.Out(o)
	s.exit()
	return true
}

// Close tells of an end. If there is no room, it is told as torn.
func (s *Shard) Close(c *teewire.Close) {
	switch s.enter(s.known, teewire.KindClose, recordHead) {
	case off:
		return
	case lost:
		s.tear(c.Conn)
		return
	}
	c.At = s.at(c.At)
	s.cur.Close(c)
	s.books.conns--
	s.exit()
}

// Lost counts a record of a connection that has a hole.
func (s *Shard) Lost(k teewire.Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.run; r != nil && r.number == s.known && !r.over.Load() {
		s.books.seen[k]++
		s.books.dropped[k][teewire.DropTorn]++
	}
}

// Leave takes a connection out of the sample: with DropTorn because of its
// user, else because the sample became smaller. Its reader is told.
func (s *Shard) Leave(conn uint64, why teewire.Drop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.run; r != nil && r.number == s.known && !r.over.Load() {
		s.leave(conn, why)
		s.tell(tellPer)
		s.handOver()
	}
}

// tear is called, with s.mu held, for a record that was left out.
func (s *Shard) tear(conn uint64) (whole bool) {
	s.leave(conn, s.why)
	s.exit()
	return false
}

func (s *Shard) leave(conn uint64, why teewire.Drop) {
	s.torn = append(s.torn, tornConn{conn, why})
	s.books.conns--
	if why != teewire.DropSample {
		s.books.torn++
	}
}

// Spent adds to what the tee costs: ns that a loop has computed for it beside
// its records.
func (s *Shard) Spent(ns int64) {
	s.mu.Lock()
	s.cpu += ns
	s.mu.Unlock()
}

// Joining says whether the loop still adds connections that were open before.
func (s *Shard) Joining(on bool) {
	s.mu.Lock()
	s.joining = on
	s.mu.Unlock()
}

// Roomy tells whether there is room to add open connections: they must take it
// from nobody.
func (s *Shard) Roomy() bool {
	r := s.tap.run.Load()
	return r != nil && r.pool.roomy() && r.taken.Load() < s.tap.Knobs.Rate.Get()/2
}

// Pace is how long to wait after having computed for ns, so that adding open
// connections takes half of tap.cpu_percent_max.
func (s *Shard) Pace(ns int64) int64 {
	return int64(float64(ns) * 2 * 100 * float64(len(s.tap.loops)) / s.tap.Knobs.CPU.Get())
}
