package main

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"
)

// env is all that a command touches of the world around it.
type env struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time
	terminal bool              // out is one
	size     func() (w, h int) // of the terminal
	hostname string            // "" if it is not known
}

// host is the environment of the running process.
func host() *env {
	fd := int(os.Stdout.Fd())
	name, err := os.Hostname()
	if err != nil { // the audit then knows the user only
		name = ""
	}
	return &env{
		hostname: name,
		in:       os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now,
		terminal: term.IsTerminal(fd),
		size: func() (int, int) {
			if w, h, err := term.GetSize(fd); err == nil {
				return w, h
			}
			return 80, 24
		},
	}
}

// seconds is the value of -w: seconds as a number or a duration, one second
// when left out.
type seconds struct{ d time.Duration }

// Set reads 2, 0.5 or 500ms.
func (s *seconds) Set(text string) error {
	d, err := parseSeconds(text)
	if err != nil {
		err = errors.New("want seconds, such as 2, 0.5 or 500ms")
	}
	if err == nil && d < 100*time.Millisecond {
		err = errors.New("want at least 0.1 seconds")
	}
	s.d = d
	return err
}

func (s *seconds) String() string {
	if s == nil || s.d == 0 {
		return ""
	}
	return s.d.String()
}

// Missing implements optional.
func (s *seconds) Missing(next string) (string, bool) {
	_, err := parseSeconds(next)
	return "1", err != nil
}

func parseSeconds(text string) (time.Duration, error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(v * float64(time.Second)), nil
	}
	return time.ParseDuration(text)
}
