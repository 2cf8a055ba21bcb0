package pushdapi

import "strings"

// Quote writes a name for a command line that is copied into a shell: names of
// users come from clients.
func Quote(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.:@/+-%,=", r)
	}
	if name != "" && name[0] != '-' && name[0] != '=' && strings.TrimFunc(name, plain) == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
