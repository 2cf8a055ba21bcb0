package doctor

import "fmt"

// Where the lines go.
const (
	sysctlPath = "/etc/sysctl.d/90-pushfleet.conf"
	dropIn     = "/etc/systemd/system/pushd.service.d/limits.conf"
	tmpfile    = "/etc/tmpfiles.d/pushfleet-thp.conf"
	reload     = "systemctl daemon-reload && systemctl restart pushd"
)

func setSysctl(name string, value any) []Fix {
	return []Fix{{File: sysctlPath, Line: fmt.Sprintf("%s = %v", name, value), Then: "sysctl --system"}}
}

func setUnit(key string, value any) []Fix {
	return []Fix{{File: dropIn, Head: "[Service]", Line: fmt.Sprintf("%s=%v", key, value), Then: reload}}
}

// roundUp makes a limit that need not be changed again soon: the next power of
// two.
func roundUp(n int64) int64 {
	p := int64(1)
	for p < n {
		p <<= 1
	}
	return p
}
