package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pushfleet/internal/push"
)

// TestProtocolPageNamesEveryReason holds PROTOCOL.md to internal/push, because
// client authors branch on what it says.
func TestProtocolPageNamesEveryReason(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(findRoot(t), "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for c := push.CloseNone + 1; c < push.CloseReasonCount; c++ {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %d \\| [^|]*`%s`", c.Code(), c))
		if !row.MatchString(page) {
			t.Errorf("PROTOCOL.md does not list close code %d with reason `%s`", c.Code(), c)
		}
	}
	_, drops, _ := strings.Cut(page, "## 7. Why messages are dropped")
	drops, _, _ = strings.Cut(drops, "\n## ")
	for d := push.DropNone + 1; d < push.DropReasonCount; d++ {
		if !strings.Contains(drops, "`"+d.String()+"`") {
			t.Errorf("PROTOCOL.md does not list drop reason `%s`", d)
		}
	}
}
