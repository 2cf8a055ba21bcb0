package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// view is one answer in every form.
type view struct {
	lines func() []string // the screen
	docs  []any           // API documents, one for each node
	rows  []any           // the same as rows
}

// print writes a view in the asked format.
func (o *options) print(v *view) error {
	switch o.format {
	case "json":
		return writeJSON(o.out, v.docs)
	case "ndjson":
		return writeNDJSON(o.out, v.rows)
	case "csv":
		return (&csvWriter{w: csv.NewWriter(o.out)}).write(v.rows)
	}
	_, err := io.WriteString(o.out, strings.Join(v.lines(), "\n")+"\n")
	return err
}

// printer returns a function that prints views one after another: screens with
// an empty line between, one CSV heading for all.
func (o *options) printer() func(*view) error {
	head := &csvWriter{w: csv.NewWriter(o.out)}
	first := true
	return func(v *view) error {
		switch {
		case o.format == "csv":
			return head.write(v.rows)
		case o.format == "json":
			return writeNDJSON(o.out, v.docs)
		case o.forPeople() && !first:
			fmt.Fprintln(o.out)
		}
		first = false
		return o.print(v)
	}
}

// writeJSON writes one document: the only one, or an array of them.
func writeJSON(w io.Writer, docs []any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if len(docs) == 1 {
		return enc.Encode(docs[0])
	}
	if docs == nil {
		docs = []any{}
	}
	return enc.Encode(docs)
}

func writeNDJSON(w io.Writer, rows []any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// csvWriter writes rows under one heading, made from the first rows it gets.
type csvWriter struct {
	w    *csv.Writer
	head []string
}

func (c *csvWriter) write(rows []any) error {
	flat := make([]map[string]string, len(rows))
	var keys []string
	for i, r := range rows {
		f := &flattener{out: map[string]string{}}
		f.value("", reflect.ValueOf(r))
		flat[i] = f.out
		for _, k := range f.order {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	if c.head == nil && len(keys) > 0 {
		c.head = keys
		if err := c.w.Write(keys); err != nil {
			return err
		}
	}
	for _, m := range flat {
		rec := make([]string, len(c.head))
		for i, k := range c.head {
			rec[i] = m[k]
		}
		if err := c.w.Write(rec); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}
