package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"pushfleet/internal/settings"
)

// Default returns the configuration without file, environment and flags. The
// places come from systemd's RUNTIME_DIRECTORY and STATE_DIRECTORY, else from
// the user: root has /run and /var/lib, others the XDG directories.
func Default(getenv func(string) string) Config {
	return Config{
		Listen:       []string{"127.0.0.1:7400"},
		ListenProxy:  []string{},
		ProxyTrusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		CORSOrigins:  []string{},
		Private:      "127.0.0.1:7401",
		AdminSocket:  filepath.Join(settings.RuntimeDir(getenv, os.Geteuid(), "pushd"), "admin.sock"),
		StateDir:     settings.StateDir(getenv, os.Geteuid(), "pushd"),
		NodeName:     settings.HostName("pushd"),
		Keeper:       Keeper{Addresses: []string{}, Labels: []string{}, API: "127.0.0.1:7410", Raft: "127.0.0.1:7411"},
		Auth:         AuthNone,
		JWT:          JWT{Leeway: 10 * time.Second},
		LogLevel:     "info",
		LogFormat:    "text",
		Knobs:        map[string]string{},
		Sources:      settings.Sources{},
	}
}
