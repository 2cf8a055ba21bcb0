// Package bpf holds the programs that probes load into the kernel: sources in
// C, and objects with their bindings, which are committed so that a build needs
// no compiler for C. scripts/gen-bpf.sh makes them anew.
package bpf

//go:generate ../scripts/gen-bpf.sh
