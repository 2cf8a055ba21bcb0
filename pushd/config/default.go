package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
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
		AdminSocket:  filepath.Join(runtimeDir(getenv, os.Geteuid()), "admin.sock"),
		StateDir:     stateDir(getenv, os.Geteuid()),
		NodeName:     hostName(),
		Auth:         AuthNone,
		JWT:          JWT{Leeway: 10 * time.Second},
		LogLevel:     "info",
		LogFormat:    "text",
		Knobs:        map[string]string{},
		sources:      map[string]string{},
	}
}

func runtimeDir(getenv func(string) string, uid int) string {
	if d := firstDir(getenv("RUNTIME_DIRECTORY")); d != "" {
		return d
	}
	if uid == 0 {
		return "/run/pushd"
	}
	if d := getenv("XDG_RUNTIME_DIR"); d != "" {
		return filepath.Join(d, "pushd")
	}
	return filepath.Join(os.TempDir(), "pushd-"+strconv.Itoa(uid))
}

func stateDir(getenv func(string) string, uid int) string {
	if d := firstDir(getenv("STATE_DIRECTORY")); d != "" {
		return d
	}
	if uid == 0 {
		return "/var/lib/pushd"
	}
	if d := getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "pushd")
	}
	return filepath.Join(getenv("HOME"), ".local/state/pushd")
}

// firstDir returns the first of the directories that systemd separates by
// colons.
func firstDir(s string) string {
	d, _, _ := strings.Cut(s, ":")
	return d
}

// hostName is the first label of the machine's name.
func hostName() string {
	name, err := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	if err != nil || !nodeNameForm.MatchString(name) {
		return "pushd"
	}
	return name
}
