package main

import (
	"crypto/tls"
	"fmt"

	"pushfleet/internal/tlsfile"
)

// trust returns how to check the keepers' certificates: by the PEM file, or by
// the system's roots if there is none.
func trust(caFile string) (*tls.Config, error) {
	if caFile == "" {
		return nil, nil
	}
	c, err := tlsfile.Client(caFile)
	if err != nil {
		return nil, fmt.Errorf("keeper CA: %w: give another file with --keeper-ca", err)
	}
	return c, nil
}
