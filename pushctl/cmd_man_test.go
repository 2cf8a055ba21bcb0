package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/man"
)

func TestManualNamesEveryCommandAndFlag(t *testing.T) {
	var page strings.Builder
	app := newApp(host())
	writeManual(man.NewPage(&page, "pushctl", 1, "1.2", app.Usage), app)
	each(app.Commands, func(c *cli.Command) {
		if c.Hidden {
			return
		}
		for _, f := range visible(c.Flags) {
			names, _ := flagText(f)
			if !strings.Contains(page.String(), `\fB`+man.Escape(names)+`\fR`) {
				t.Errorf("the manual does not know %s of %s", names, c.Name)
			}
		}
		if !strings.Contains(page.String(), man.Escape(c.Name)+"\n") {
			t.Errorf("the manual does not know %s", c.Name)
		}
	})
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed, the page is not typeset")
	}
	c := exec.Command(groff, "-man", "-ww", "-Tutf8", "-Kutf8", "-z")
	c.Stdin = strings.NewReader(page.String())
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
