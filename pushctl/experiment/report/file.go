package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// reportMax bounds what Read takes, in bytes: plots of a dozen metrics are
// some 300 KB.
const reportMax = 64 << 20

// Read reads a report from a file.
func Read(path string) (*Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	defer f.Close()
	r, err := Decode(io.LimitReader(f, reportMax))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Decode reads a report. An error says what to read instead.
func Decode(in io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("no report of an experiment: %w; pushctl tee run writes one beside each page", err)
	}
	switch {
	case r.Form < 1:
		return nil, fmt.Errorf("no report of an experiment: it has no form; pushctl tee run writes one beside each page")
	case r.Form > Form:
		return nil, fmt.Errorf("a report of form %d, and this pushctl reads up to %d: use a newer one", r.Form, Form)
	}
	return r, nil
}
