package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
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
	seen := map[string]bool{}
	for i, r := range rows {
		m, order, err := flatten(r)
		if err != nil {
			return err
		}
		flat[i] = m
		for _, k := range order {
			if !seen[k] {
				seen[k] = true
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

// flatten turns a value into columns named by the path of its JSON fields:
// connections.by_proto.ws. Lists are one column, their items joined by spaces.
func flatten(v any) (map[string]string, []string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, nil, err
	}
	f := &flattener{out: map[string]string{}}
	err = f.object("", b)
	return f.out, f.order, err
}

type flattener struct {
	out   map[string]string
	order []string
}

// object walks the fields in their order in the text, which a map would lose.
func (f *flattener) object(prefix string, b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		if err := f.field(prefix+fmt.Sprint(key), raw); err != nil {
			return err
		}
	}
	return nil
}

func (f *flattener) field(path string, raw json.RawMessage) error {
	if raw[0] == '{' {
		return f.object(path+".", raw)
	}
	f.out[path] = scalar(raw)
	f.order = append(f.order, path)
	return nil
}

func scalar(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
	case 'n':
		return ""
	case '[':
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil || (len(items) > 0 && items[0][0] == '{') {
			return string(raw)
		}
		words := make([]string, len(items))
		for i, it := range items {
			words[i] = scalar(it)
		}
		return strings.Join(words, " ")
	}
	return string(raw)
}
