package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"

	"golang.org/x/sys/unix"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/rawsys"
)

// answers reads the node's side of a publish stream: an HTTP response head and
// chunks of NDJSON, a few small ones a second.
type answers struct {
	in     []byte
	lines  []byte
	headed bool
}

// answersMax bounds what is kept of an answer that is not complete, in bytes.
const answersMax = 4 << 20

// read takes what the socket has and adds it to sum.
func (a *answers) read(poll *rawsys.Poller, fd int, sum *Published) error {
	var buf [16 << 10]byte
	for {
		n, err := poll.Budget.Read(fd, buf[:])
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if n == 0 {
			if sum.Done {
				return nil
			}
			return fmt.Errorf("publish: %w: the node ended the stream after %d messages", io.ErrUnexpectedEOF, sum.Lines)
		}
		if a.in = append(a.in, buf[:n]...); len(a.in) > answersMax {
			return fmt.Errorf("publish: an answer of more than %d bytes", answersMax)
		}
		if n < len(buf) {
			break
		}
	}
	return a.parse(sum)
}

func (a *answers) parse(sum *Published) error {
	if !a.headed {
		i := bytes.Index(a.in, []byte("\r\n\r\n"))
		if i < 0 {
			return nil
		}
		if !bytes.HasPrefix(a.in, []byte("HTTP/1.1 200 ")) {
			status, _, _ := bytes.Cut(a.in, []byte("\r\n"))
			return fmt.Errorf("publish: the node answers %q: %s", status, bytes.TrimSpace(a.in[i:]))
		}
		a.in, a.headed = a.in[i+4:], true
	}
	for {
		chunk, rest, ok, err := cutChunk(a.in)
		if err != nil {
			return err
		}
		if !ok {
			// Keep what is left at the begin, or the buffer would wander.
			a.in = append(a.in[:0:0], a.in...)
			return nil
		}
		if len(chunk) == 0 { // the last one
			if sum.Done {
				a.in = nil
				return nil
			}
			return fmt.Errorf("publish: %w: the node ended its answer before the last result", io.ErrUnexpectedEOF)
		}
		a.in, a.lines = rest, append(a.lines, chunk...)
		for {
			line, rest, ok := bytes.Cut(a.lines, []byte("\n"))
			if !ok {
				break
			}
			a.lines = rest
			if err := add(sum, line); err != nil {
				return err
			}
		}
	}
}

// cutChunk takes one whole chunk off b.
func cutChunk(b []byte) (chunk, rest []byte, ok bool, err error) {
	line, body, found := bytes.Cut(b, []byte("\r\n"))
	if !found {
		return nil, b, false, nil
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
	if err != nil {
		return nil, b, false, fmt.Errorf("publish: bad chunk %q", line)
	}
	if uint64(len(body)) < n+2 {
		return nil, b, false, nil
	}
	return body[:n], body[n+2:], true, nil
}

// add adds one result line. The last one repeats the whole stream's counts and
// replaces the sum.
func add(sum *Published, line []byte) error {
	var r pushdapi.PublishResult
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("publish: result %q: %w", line, err)
	}
	if r.Error != "" && !r.Done {
		sum.Errors++
		if sum.Error == "" {
			sum.Error = fmt.Sprintf("line %d: %s", r.Line, r.Error)
		}
		return nil
	}
	if r.Done {
		sum.Done, sum.Lines, sum.Result = true, r.Lines, r.Result
		return nil
	}
	sum.Lines += r.Lines
	// The map is shared with snapshots already handed out.
	dropped := maps.Clone(sum.Result.Dropped)
	for k, v := range r.Dropped {
		if dropped == nil {
			dropped = map[string]uint64{}
		}
		dropped[k] += v
	}
	sum.Result.Dropped = dropped
	sum.Result.Delivered += r.Delivered
	sum.Result.Absent += r.Absent
	sum.Result.Kept += r.Kept
	sum.Result.Pending = r.Pending
	return nil
}
