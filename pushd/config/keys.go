package config

import "strings"

// key is one setting: how it is called in each source and how it gets into a
// Config and out again.
type key struct {
	name  string // path in the file
	flag  string
	group string
	arg   string // placeholder in the help
	help  string
	value value
}

// env returns the name of the key's environment variable.
func (k *key) env() string {
	return "PUSHD_" + strings.ToUpper(strings.ReplaceAll(k.flag, "-", "_"))
}

// The groups, in the order of the help.
const (
	groupClients = "Clients"
	groupAuth    = "Who may connect"
	groupNode    = "Node"
	groupLog     = "Log"
)

// keys lists every setting but the knobs, whose names the node knows.
func keys() []key {
	return append(clientKeys(), nodeKeys()...)
}

func clientKeys() []key {
	return []key{
		{"listen", "listen", groupClients, "IP:PORT", "client address; repeatable; :7400 is all interfaces",
			addrs(func(c *Config) *[]string { return &c.Listen })},
		{"listen_proxy", "listen-proxy", groupClients, "IP:PORT", "client address behind a proxy that sends the PROXY protocol; repeatable",
			addrs(func(c *Config) *[]string { return &c.ListenProxy })},
		{"proxy_trusted", "proxy-trusted", groupClients, "CIDR", "peers that may send a PROXY header; repeatable", prefixes{}},
		{"cors.allow_origins", "cors-allow-origins", groupClients, "ORIGIN", "origins of web pages that may read SSE, stream and poll, * for any; repeatable",
			list(func(c *Config) *[]string { return &c.CORSOrigins })},
		{"auth.mode", "auth", groupAuth, "none|jwt", "how clients prove who they are; none only on loopback",
			choice(func(c *Config) *string { return &c.Auth }, AuthNone, AuthJWT)},
		{"auth.jwt.hs256_secret_file", "auth-jwt-hs256-secret-file", groupAuth, "FILE", "shared secret of HS256 tokens, 32 bytes or more",
			text(func(c *Config) *string { return &c.JWT.HS256SecretFile })},
		{"auth.jwt.ed25519_public_key_file", "auth-jwt-ed25519-public-key-file", groupAuth, "FILE", "PEM public key of EdDSA tokens",
			text(func(c *Config) *string { return &c.JWT.Ed25519PublicKeyFile })},
		{"auth.jwt.rs256_public_key_file", "auth-jwt-rs256-public-key-file", groupAuth, "FILE", "PEM public key of RS256 tokens",
			text(func(c *Config) *string { return &c.JWT.RS256PublicKeyFile })},
		{"auth.jwt.audience", "auth-jwt-audience", groupAuth, "NAME", "required aud claim",
			text(func(c *Config) *string { return &c.JWT.Audience })},
		{"auth.jwt.issuer", "auth-jwt-issuer", groupAuth, "NAME", "required iss claim",
			text(func(c *Config) *string { return &c.JWT.Issuer })},
		{"auth.jwt.leeway", "auth-jwt-leeway", groupAuth, "DURATION", "how far clocks may differ, at most 5m", leeway{}},
	}
}

func nodeKeys() []key {
	return []key{
		{"private", "private", groupNode, "IP:PORT", "server API, health, /metrics, pprof; loopback only",
			addr(func(c *Config) *string { return &c.Private })},
		{"admin_socket", "admin-socket", groupNode, "PATH", "unix socket for pushctl",
			text(func(c *Config) *string { return &c.AdminSocket })},
		{"state_dir", "state-dir", groupNode, "DIR", "what outlives the process",
			text(func(c *Config) *string { return &c.StateDir })},
		{"node_name", "node-name", groupNode, "NAME", "how this node is called in reports",
			text(func(c *Config) *string { return &c.NodeName })},
		{"loops", "loops", groupNode, "N", "event loops; 0 = one per core",
			number(func(c *Config) *int { return &c.Loops })},
		{"unshare_files", "unshare-files", groupNode, "", "a file table per loop, to pass the fd limit of the process",
			toggle(func(c *Config) *bool { return &c.UnshareFiles })},
		{"log.level", "log-level", groupLog, "LEVEL", "debug, info, warn or error",
			choice(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error")},
		{"log.format", "log-format", groupLog, "FORMAT", "text or json",
			choice(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
	}
}
