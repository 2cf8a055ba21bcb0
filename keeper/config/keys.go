package config

import (
	"slices"
	"time"

	"pushfleet/internal/settings"
	"pushfleet/keeper/store"
)

type key = settings.Key[Config]

// The groups, in the order of the help.
const (
	groupSelf    = "This keeper"
	groupAPI     = "For nodes and pushctl"
	groupMembers = "Between keepers"
	groupCluster = "The cluster"
)

func keys() []key {
	return slices.Concat(selfKeys(), apiKeys(), memberKeys(), clusterKeys(),
		settings.LogKeys(func(c *Config) *string { return &c.LogLevel }, func(c *Config) *string { return &c.LogFormat }))
}

func selfKeys() []key {
	return []key{
		{Name: "id", Flag: "id", Group: groupSelf, Arg: "NAME", Help: "name of this member; stays the same when its address changes", Sample: "k1",
			Value: settings.Text(func(c *Config) *string { return &c.ID })},
		{Name: "state_dir", Flag: "state-dir", Group: groupSelf, Arg: "DIR", Help: "log and snapshots; one keeper each",
			Value: settings.Text(func(c *Config) *string { return &c.StateDir })},
		{Name: "socket", Flag: "socket", Group: groupSelf, Arg: "PATH", Help: "unix socket for pushctl, for who may open it; empty = none",
			Value: settings.Text(func(c *Config) *string { return &c.Socket })},
	}
}

func apiKeys() []key {
	return []key{
		{Name: "api.listen", Flag: "api", Group: groupAPI, Arg: "IP:PORT", Help: "address of the API; repeatable; :7410 is all interfaces, which needs TLS",
			Value: settings.Addrs(func(c *Config) *[]string { return &c.API })},
		{Name: "api.advertise", Flag: "api-advertise", Group: groupAPI, Arg: "HOST:PORT", Help: "where nodes reach it, if not at the first --api",
			Value: settings.Text(func(c *Config) *string { return &c.APIAdvertise })},
		{Name: "api.tls_cert", Flag: "api-tls-cert", Group: groupAPI, Arg: "FILE", Help: "PEM certificate of the API, read again when it changes",
			Value: settings.Text(func(c *Config) *string { return &c.APITLS.Cert })},
		{Name: "api.tls_key", Flag: "api-tls-key", Group: groupAPI, Arg: "FILE", Help: "its PEM key",
			Value: settings.Text(func(c *Config) *string { return &c.APITLS.Key })},
	}
}

func memberKeys() []key {
	return []key{
		{Name: "raft.listen", Flag: "raft", Group: groupMembers, Arg: "IP:PORT", Help: "address for the other keepers",
			Value: settings.Addr(func(c *Config) *string { return &c.Raft })},
		{Name: "raft.advertise", Flag: "raft-advertise", Group: groupMembers, Arg: "HOST:PORT", Help: "where they reach it, if not at --raft",
			Value: settings.Text(func(c *Config) *string { return &c.RaftAdvertise })},
		{Name: "raft.tls_ca", Flag: "raft-tls-ca", Group: groupMembers, Arg: "FILE", Help: "PEM certificates; whoever they have signed is a keeper",
			Value: settings.Text(func(c *Config) *string { return &c.RaftTLS.CA })},
		{Name: "raft.tls_cert", Flag: "raft-tls-cert", Group: groupMembers, Arg: "FILE", Help: "PEM certificate for server and client use, read again when it changes",
			Value: settings.Text(func(c *Config) *string { return &c.RaftTLS.Cert })},
		{Name: "raft.tls_key", Flag: "raft-tls-key", Group: groupMembers, Arg: "FILE", Help: "its PEM key",
			Value: settings.Text(func(c *Config) *string { return &c.RaftTLS.Key })},
		{Name: "raft.tls_name", Flag: "raft-tls-name", Group: groupMembers, Arg: "NAME", Help: "DNS name that every keeper's certificate must hold",
			Value: settings.Text(func(c *Config) *string { return &c.RaftTLS.Name })},
		{Name: "raft.log", Flag: "raft-log", Group: groupMembers, Arg: "wal|bolt", Help: "what holds the log; stays the same for a state directory",
			Value: settings.Choice(func(c *Config) *store.LogKind { return &c.LogKind }, store.WAL, store.Bolt)},
		{Name: "raft.heartbeat", Flag: "raft-heartbeat", Group: groupMembers, Arg: "DURATION", Help: "without a leader's sign of life until an election; more than 10 round trips",
			Value: settings.Duration(func(c *Config) *time.Duration { return &c.Heartbeat })},
		{Name: "raft.election", Flag: "raft-election", Group: groupMembers, Arg: "DURATION", Help: "a candidate's wait for votes; not below the heartbeat",
			Value: settings.Duration(func(c *Config) *time.Duration { return &c.Election })},
	}
}

func clusterKeys() []key {
	return []key{
		{Name: "bootstrap_expect", Flag: "bootstrap-expect", Group: groupCluster, Arg: "N", Help: "so many keepers found the cluster, all with the same --join; once only",
			Value: settings.Int(func(c *Config) *int { return &c.BootstrapExpect })},
		{Name: "join", Flag: "join", Group: groupCluster, Arg: "HOST:PORT", Help: "the --raft address of a keeper; repeatable; tried until one lets this one in",
			Value: settings.List(func(c *Config) *[]string { return &c.Join })},
	}
}
