// Program generate writes the dashboards: dashboards/*.json are what it makes
// of the tables in this folder. "make gen" runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write puts one file per dashboard into dir.
func write(dir string) error {
	for _, b := range boards() {
		text, err := b.JSON()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, b.File()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// boards are all dashboards.
func boards() []*board {
	return []*board{fleetBoard(), nodeBoard(), queuesBoard(), runtimeBoard(), keeperBoard(), teeBoard()}
}
