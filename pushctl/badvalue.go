package main

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"
)

// badValue tells what a flag takes instead of what its parser calls it.
func badValue(c *cli.Context, err error) error {
	m := regexp.MustCompile(`^invalid value ("(?:[^"\\]|\\.)*") for flag -(\S+): (.*)$`).FindStringSubmatch(err.Error())
	if m == nil {
		return usagef("%s: %w", short(c.Command), err)
	}
	value, name, why := m[1], m[2], m[3]
	if plain, err := strconv.Unquote(value); err == nil && plain != "" {
		value = plain
	}
	if why == "parse error" || why == "value out of range" {
		why = wanted(flagOf(c, name))
	}
	return usagef("%s%s %s: %s", commandPrefix(c), dashed(name), value, why)
}

func commandPrefix(c *cli.Context) string {
	if name := short(c.Command); name != c.App.Name {
		return name + ": "
	}
	return ""
}

// flagOf finds a flag from the command outwards, nil for none.
func flagOf(c *cli.Context, name string) cli.Flag {
	flags := c.App.Flags
	if c.Command != nil {
		flags = slices.Concat(c.Command.Flags, flags)
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// wanted is the form of a flag's value.
func wanted(f cli.Flag) string {
	switch f.(type) {
	case *cli.DurationFlag:
		return "want a time with its unit, such as 500ms, 30s or 5m"
	case *cli.IntFlag, *cli.Int64Flag:
		return "want a whole number"
	case *cli.UintFlag, *cli.Uint64Flag:
		return "want a whole number, not below 0"
	case *cli.Float64Flag:
		return "want a number"
	}
	return "not a value that it takes: see --help"
}
