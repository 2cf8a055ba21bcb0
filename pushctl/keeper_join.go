package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
)

func keeperJoinCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "join", Usage: "how another keeper joins this cluster", UsageText: "pushctl keeper join [ID]",
		Description: `Prints the line to start it with; it changes nothing. The new one has no vote until it has caught up.

  pushctl keeper join k4`,
		Action: e.onFleet(0, 1, keeperapi.RoleRead, func(f *fleet, c *cli.Context) error {
			s, err := f.Status(c.Context)
			if err != nil {
				return err
			}
			j := joinLine(s, c.Args().First())
			return f.print(&view{docs: []any{j}, rows: []any{j}, lines: func() []string { return joinLines(s, j) }})
		}),
	}
}

// joining is how a new keeper is started.
type joining struct {
	ID      string   `json:"id"`
	Join    []string `json:"join"` // raft addresses of the members
	Command string   `json:"command"`
}

func joinLine(s *keeperapi.Status, id string) *joining {
	j := &joining{ID: id, Join: []string{}}
	if id == "" {
		j.ID = fmt.Sprintf("k%d", len(s.Members)+1)
	}
	for _, m := range s.Members {
		j.Join = append(j.Join, m.Address)
	}
	j.Command = strings.Join(j.lines(), " ")
	return j
}

// lines are the command as it is shown.
func (j *joining) lines() []string {
	cert := "-tls-cert " + j.ID + ".pem"
	key := "-tls-key " + j.ID + ".key"
	return []string{"keeper --id " + j.ID + " --raft IP:7411", "--join " + strings.Join(j.Join, ","),
		"--raft-tls-ca ca.pem --raft" + cert + " --raft" + key, "--api IP:" + keeperapi.Port + " --api" + cert + " --api" + key}
}

// joinLines explain it.
func joinLines(s *keeperapi.Status, j *joining) []string {
	lines := []string{"On the new machine, IP being its own address:", "",
		"  " + strings.Join(j.lines(), " \\\n         "), "",
		"Its certificate is signed as those of the others. Then: pushctl keeper status"}
	if n := len(s.Members) + 1; n%2 == 0 {
		lines = append(lines, fmt.Sprintf("%d keepers bear no more losses than %d: add another.", n, n-1))
	}
	if loopback(j.Join) {
		lines = append(lines, "The keepers here listen on this machine only, where no other can join: start them",
			"with another --raft address first.")
	}
	return lines
}

// loopback tells whether nobody elsewhere can reach any of the addresses.
func loopback(addrs []string) bool {
	for _, a := range addrs {
		host, _, err := net.SplitHostPort(a)
		if err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return false
		}
	}
	return len(addrs) > 0
}
