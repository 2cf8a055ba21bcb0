package config

import (
	"fmt"
	"io"
	"strings"
)

const helpHead = `pushd: push gateway for WebSocket, server-sent events, streams and long poll

usage: pushd [flags]               serve until SIGTERM or ctrl-C
       pushd check-config [flags]  print the configuration, or all that is wrong
       pushd version
`

const helpTail = `
Knobs (change while pushd runs: pushctl knob list)
  --knob NAME=VALUE     start value; repeatable

Configuration file
  --config FILE         default /etc/pushd/pushd.toml, which may be absent

Each flag is also a key of the file (--state-dir is state_dir, --log-level is
level in [log], --auth is mode in [auth], knobs stand in [knobs]) and an
environment variable (PUSHD_STATE_DIR; lists with commas, PUSHD_KNOB with
semicolons). Flags win over the environment, the environment over the file.

example
  openssl rand -hex 32 > secret
  pushd --listen :7400 --auth jwt --auth-jwt-hs256-secret-file secret \
        --knob queue.messages_max=1024
`

const (
	helpColumn = 24 // where the descriptions begin
	helpWidth  = 80
)

// Help prints the usage with the defaults as they are on this machine.
func Help(w io.Writer, getenv func(string) string) {
	fmt.Fprint(w, helpHead)
	def := Default(getenv)
	group := ""
	for _, k := range keys() {
		if k.group != group {
			group = k.group
			fmt.Fprintf(w, "\n%s\n", group)
		}
		left := strings.TrimRight("  --"+k.flag+" "+k.arg, " ")
		help := k.help
		if d := k.value.get(&def); d != "" && d != "false" && d != "0" {
			help += " [" + d + "]"
		}
		if len(left) > helpColumn-2 {
			fmt.Fprintln(w, left)
			left = ""
		}
		for _, line := range wrap(help, helpWidth-helpColumn) {
			fmt.Fprintf(w, "%-*s%s\n", helpColumn, left, line)
			left = ""
		}
	}
	fmt.Fprint(w, helpTail)
}

// wrap breaks a text at blanks; a word longer than width stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
