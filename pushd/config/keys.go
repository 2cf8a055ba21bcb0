package config

import (
	"net/netip"
	"slices"
	"time"

	"pushfleet/internal/settings"
)

type key = settings.Key[Config]

// The groups, in the order of the help.
const (
	groupClients = "Clients"
	groupAuth    = "Who may connect"
	groupNode    = "Node"
	groupKeeper  = "Keeper (knobs of a fleet)"
)

// keys lists every setting but the knobs, whose names the node knows.
func keys() []key {
	return slices.Concat(clientKeys(), nodeKeys(), keeperKeys(),
		settings.LogKeys(func(c *Config) *string { return &c.LogLevel }, func(c *Config) *string { return &c.LogFormat }))
}

func clientKeys() []key {
	return []key{
		{Name: "listen", Flag: "listen", Group: groupClients, Arg: "IP:PORT", Help: "client address; repeatable; :7400 is all interfaces",
			Value: settings.Addrs(func(c *Config) *[]string { return &c.Listen })},
		{Name: "listen_proxy", Flag: "listen-proxy", Group: groupClients, Arg: "IP:PORT", Help: "client address behind a proxy that sends the PROXY protocol; repeatable",
			Value: settings.Addrs(func(c *Config) *[]string { return &c.ListenProxy })},
		{Name: "share_port", Flag: "share-port", Group: groupClients, Arg: "", Help: "let other pushd of the same user listen on the client addresses too; each then holds a part of the users and is published to by itself",
			Value: settings.Toggle(func(c *Config) *bool { return &c.SharePort })},
		{Name: "proxy_trusted", Flag: "proxy-trusted", Group: groupClients, Arg: "CIDR", Help: "peers that may send a PROXY header; repeatable",
			Value: settings.Prefixes(func(c *Config) *[]netip.Prefix { return &c.ProxyTrusted })},
		{Name: "cors.allow_origins", Flag: "cors-allow-origins", Group: groupClients, Arg: "ORIGIN", Help: "origins of web pages that may read SSE, stream and poll, * for any; repeatable",
			Value: settings.List(func(c *Config) *[]string { return &c.CORSOrigins })},
		{Name: "auth.mode", Flag: "auth", Group: groupAuth, Arg: "none|jwt", Help: "how clients prove who they are; none only on loopback",
			Value: settings.Choice(func(c *Config) *string { return &c.Auth }, AuthNone, AuthJWT)},
		{Name: "auth.jwt.hs256_secret_file", Flag: "auth-jwt-hs256-secret-file", Group: groupAuth, Arg: "FILE", Help: "shared secret of HS256 tokens, 32 bytes or more",
			Value: settings.Text(func(c *Config) *string { return &c.JWT.HS256SecretFile })},
		{Name: "auth.jwt.ed25519_public_key_file", Flag: "auth-jwt-ed25519-public-key-file", Group: groupAuth, Arg: "FILE", Help: "PEM public key of EdDSA tokens",
			Value: settings.Text(func(c *Config) *string { return &c.JWT.Ed25519PublicKeyFile })},
		{Name: "auth.jwt.rs256_public_key_file", Flag: "auth-jwt-rs256-public-key-file", Group: groupAuth, Arg: "FILE", Help: "PEM public key of RS256 tokens",
			Value: settings.Text(func(c *Config) *string { return &c.JWT.RS256PublicKeyFile })},
		{Name: "auth.jwt.audience", Flag: "auth-jwt-audience", Group: groupAuth, Arg: "NAME", Help: "required aud claim",
			Value: settings.Text(func(c *Config) *string { return &c.JWT.Audience })},
		{Name: "auth.jwt.issuer", Flag: "auth-jwt-issuer", Group: groupAuth, Arg: "NAME", Help: "required iss claim",
			Value: settings.Text(func(c *Config) *string { return &c.JWT.Issuer })},
		{Name: "auth.jwt.leeway", Flag: "auth-jwt-leeway", Group: groupAuth, Arg: "DURATION", Help: "how far clocks may differ, at most 5m",
			Value: settings.Duration(func(c *Config) *time.Duration { return &c.JWT.Leeway })},
	}
}

func nodeKeys() []key {
	return []key{
		{Name: "private", Flag: "private", Group: groupNode, Arg: "IP:PORT", Help: "server API, health, /metrics, pprof; loopback only",
			Value: settings.Addr(func(c *Config) *string { return &c.Private })},
		{Name: "admin_socket", Flag: "admin-socket", Group: groupNode, Arg: "PATH", Help: "unix socket for pushctl",
			Value: settings.Text(func(c *Config) *string { return &c.AdminSocket })},
		{Name: "state_dir", Flag: "state-dir", Group: groupNode, Arg: "DIR", Help: "what outlives the process",
			Value: settings.Text(func(c *Config) *string { return &c.StateDir })},
		{Name: "node_name", Flag: "node-name", Group: groupNode, Arg: "NAME", Help: "how this node is called in reports; the machine's name without it", Sample: "gw-1",
			Value: settings.Text(func(c *Config) *string { return &c.NodeName })},
		{Name: "loops", Flag: "loops", Group: groupNode, Arg: "N", Help: "event loops; 0 = one per core",
			Value: settings.Int(func(c *Config) *int { return &c.Loops })},
		{Name: "unshare_files", Flag: "unshare-files", Group: groupNode, Arg: "", Help: "a file table per loop, to pass the fd limit of the process",
			Value: settings.Toggle(func(c *Config) *bool { return &c.UnshareFiles })},
		{Name: "shadow", Flag: "shadow", Group: groupNode, Arg: "", Help: "take the clients of a tee only (pushctl tee), obey no fleet, and let nothing out",
			Value: settings.Toggle(func(c *Config) *bool { return &c.Shadow })},
	}
}

func keeperKeys() []key {
	return []key{
		{Name: "keeper", Flag: "keeper", Group: groupKeeper, Arg: "ADDR", Help: "API of a keeper to follow, HOST:PORT or a socket; repeatable; none given: one runs inside pushd; off: no keeper",
			Value: settings.List(func(c *Config) *[]string { return &c.Keeper.Addresses })},
		{Name: "keeper_token_file", Flag: "keeper-token-file", Group: groupKeeper, Arg: "FILE", Help: "holds the token that keepers ask for",
			Value: settings.Text(func(c *Config) *string { return &c.Keeper.TokenFile })},
		{Name: "keeper_ca", Flag: "keeper-ca", Group: groupKeeper, Arg: "FILE", Help: "PEM roots of the keepers' certificates; the system's without it",
			Value: settings.Text(func(c *Config) *string { return &c.Keeper.CA })},
		{Name: "labels", Flag: "label", Group: groupKeeper, Arg: "NAME=VALUE", Help: "group that knobs can be set for, such as app=shop; repeatable",
			Value: settings.List(func(c *Config) *[]string { return &c.Keeper.Labels })},
		{Name: "keeper_api", Flag: "keeper-api", Group: groupKeeper, Arg: "IP:PORT", Help: "API of the keeper inside pushd; loopback only",
			Value: settings.Addr(func(c *Config) *string { return &c.Keeper.API })},
		{Name: "keeper_raft", Flag: "keeper-raft", Group: groupKeeper, Arg: "IP:PORT", Help: "where other keepers would reach the one inside; loopback only",
			Value: settings.Addr(func(c *Config) *string { return &c.Keeper.Raft })},
		{Name: "keeper_socket", Flag: "keeper-socket", Group: groupKeeper, Arg: "PATH", Help: "unix socket of the keeper inside; keeper.sock beside the admin socket without it",
			Value: settings.Text(func(c *Config) *string { return &c.Keeper.Socket })},
	}
}
