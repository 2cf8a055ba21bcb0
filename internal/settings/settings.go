// Package settings puts the static configuration of a program together from
// defaults, a TOML file, the environment and flags, in this order, and says
// everything that is wrong with it at once. A program declares its keys; the
// loader, the help and the printed configuration come from them.
package settings

import (
	"io"
	"strings"
)

// Program is what one command line can be told. C is its configuration.
type Program[C any] struct {
	Name string // "pushd"; variables begin with PUSHD_
	// Verb is a command of the program that has flags of its own, for hints:
	// "recover" leads to "keeper recover --help". Usually empty.
	Verb  string
	Usage string // in one line, for arguments that are no flag
	Head  string // of the help, before the keys
	Tail  string // of the help, after them
	File  string // read when --config is not given; may be absent

	Default func(getenv func(string) string) C
	// Sources returns where the loader notes the source of each key, most
	// simply a field of C that Default makes.
	Sources func(*C) Sources
	Keys    []Key[C]
	Pairs   *Pairs[C] // nil: the program takes no NAME=VALUE
	// Shown tells which keys the help lists; nil = all.
	Shown func(*Key[C]) bool
	// Check returns what is wrong with the whole. Keys whose text could not be
	// read are not complained about twice.
	Check func(c *C, readFile func(string) ([]byte, error)) Problems
	// Also is a further check by Command, for what only it knows; may be nil.
	Also func(*C) Problems
}

// Key is one setting: how it is called in each source and how it gets into a
// C and out again.
type Key[C any] struct {
	Name  string // path in the file
	Flag  string
	Group string // heading in the help; keys of a group follow each other
	Arg   string // placeholder in the help
	Help  string
	Value Value[C]
	// FlagOnly keys say what to do this once: the file and the environment
	// cannot set them.
	FlagOnly bool
	// Sample stands in sample files for a default that depends on the machine.
	Sample string
}

// Pairs are settings whose names are not known here: a repeatable flag
// NAME=VALUE, a table of the file, a variable with semicolons.
type Pairs[C any] struct {
	Flag  string                     // "knob"
	Table string                     // "knobs"
	Map   func(*C) map[string]string // made by Default
}

// World is what the command line needs of the outside.
type World struct {
	Getenv         func(string) string
	ReadFile       func(string) ([]byte, error)
	Stdout, Stderr io.Writer
	Version        string // printed by the command version
}

// Env returns the name of the key's environment variable.
func (p *Program[C]) Env(k *Key[C]) string { return p.env(k.Flag) }

func (p *Program[C]) env(flag string) string {
	return strings.ToUpper(p.Name + "_" + strings.ReplaceAll(flag, "-", "_"))
}

// hint is where all flags are listed.
func (p *Program[C]) hint() string {
	if p.Verb != "" {
		return p.Name + " " + p.Verb + " --help"
	}
	return p.Name + " --help"
}

// Sources says where values came from, by key.
type Sources map[string]string

// Source tells where the value of a key came from: "default", "FILE:LINE",
// "env NAME" or "flag --NAME". A pair is the key TABLE.NAME.
func (s Sources) Source(key string) string {
	if v := s[key]; v != "" {
		return v
	}
	return "default"
}
