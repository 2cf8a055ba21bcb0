package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/pushdapi"
)

// BodyMax bounds the body of an admin request, in bytes.
const BodyMax = 64 << 10

// query reads the query of a request that knows only these parameters, each
// at most once.
func query(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery("cannot read the query: %s", err)
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, badQuery("unknown parameter %q; there are none here", name)
			}
			return nil, badQuery("unknown parameter %q; known are %s", name, strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return nil, badQuery("parameter %s is given %d times; give it once", name, len(values))
		}
	}
	return q, nil
}

// number reads a parameter between 1 and most; 0 if it is not there.
func number(q url.Values, name string, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badQuery("%s=%q: give a whole number from 1 to %d", name, text, most)
	}
	return n, nil
}

func badQuery(format string, args ...any) *pushdapi.Error {
	return refuse(http.StatusBadRequest, "bad_query", format, args...)
}

// body decodes one JSON object of known fields into the struct at v.
func body(r *http.Request, v any) error {
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, BodyMax))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is longer than %d bytes", BodyMax)
	} else if err != nil {
		return badBody("cannot read the body: %s", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badJSON(err, v)
	}
	if _, err := d.Token(); err != io.EOF {
		return badBody("something follows the JSON object; send one object only")
	}
	return nil
}

func badJSON(err error, v any) error {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badBody("field %q cannot be a %s; give a %s", t.Field, t.Value, t.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return badBody("unknown field %s; known are %s", name, strings.Join(fields(v), ", "))
	}
	if errors.Is(err, io.EOF) {
		return badBody("the body is empty; send a JSON object with %s", strings.Join(fields(v), ", "))
	}
	return badBody("the body is not JSON: %s", err)
}

// fields lists the JSON names of the struct at v.
func fields(v any) (names []string) {
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func badBody(format string, args ...any) *pushdapi.Error {
	return refuse(http.StatusBadRequest, "bad_body", format, args...)
}
