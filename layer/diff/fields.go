package diff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// spelling is the path of the field that stands for two documents which say the same in other bytes.
const spelling = "(spelling)"

// document is a JSON document as generic values, numbers as they are spelt.
func document(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the document")
	}
	return v, nil
}

// object is a JSON object; anything else counts as an empty one.
func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// fields are the differences of two JSON values, sorted by path as the values are walked: keys in order, lists by position.
func fields(a, b any) []Field {
	found := []Field{}
	walkFields("", a, b, &found)
	return found
}

func walkFields(path string, a, b any, found *[]Field) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(union(x, y))) {
				walkChild(path+member(path, key), x, y, key, found)
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			walkList(path, x, y, found)
			return
		}
	}
	if left, right := encode(a), encode(b); !bytes.Equal(left, right) {
		*found = append(*found, Field{Path: path, A: left, B: right})
	}
}

// walkChild compares what two objects have under one key.
func walkChild(path string, a, b map[string]any, key string, found *[]Field) {
	left, inA := a[key]
	right, inB := b[key]
	switch {
	case inA && inB:
		walkFields(path, left, right, found)
	case inA:
		*found = append(*found, Field{Path: path, A: encode(left)})
	default:
		*found = append(*found, Field{Path: path, B: encode(right)})
	}
}

func walkList(path string, a, b []any, found *[]Field) {
	if path == "config.Env" {
		if x, namesA, ok := environment(a); ok {
			if y, namesB, ok := environment(b); ok {
				for _, name := range slices.Sorted(maps.Keys(union(x, y))) {
					walkChild(path+index(name), x, y, name, found)
				}
				if !slices.Equal(common(namesA, y), common(namesB, x)) {
					*found = append(*found, Field{Path: path + "(order)", A: encode(namesA), B: encode(namesB)})
				}
				return
			}
		}
	}
	for _, p := range pairElements(path, a, b) {
		switch {
		case p.a < 0:
			*found = append(*found, Field{Path: fmt.Sprintf("%s[%d]", path, p.b), B: encode(b[p.b])})
		case p.b < 0:
			*found = append(*found, Field{Path: fmt.Sprintf("%s[%d]", path, p.a), A: encode(a[p.a])})
		default:
			walkFields(fmt.Sprintf("%s[%d]", path, p.a), a[p.a], b[p.b], found)
		}
	}
}

// maxAligned bounds the lists that are aligned, which takes the square of their length.
const maxAligned = 1000

// pairElements pairs the elements of two lists: by position, but the history so that equal lines stand side by side.
func pairElements(path string, a, b []any) []pair {
	if path != "history" || len(a) > maxAligned || len(b) > maxAligned {
		return align(len(a), len(b))
	}
	texts := func(list []any) (texts []string) {
		for _, v := range list {
			texts = append(texts, string(encode(v)))
		}
		return texts
	}
	x, y := texts(a), texts(b)
	return align(len(a), len(b), func(i, j int) bool { return x[i] == y[j] })
}

// environment reads a list of NAME=VALUE; ok is false for any other list, and where a name comes twice.
func environment(list []any) (values map[string]any, names []string, ok bool) {
	values = map[string]any{}
	for _, v := range list {
		s, isString := v.(string)
		name, value, isPair := strings.Cut(s, "=")
		if _, twice := values[name]; !isString || !isPair || twice {
			return nil, nil, false
		}
		values[name] = value
		names = append(names, name)
	}
	return values, names, true
}

// common are those of names that are keys of m too.
func common(names []string, m map[string]any) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, ok := m[name]
		return !ok
	})
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

// member is how a key continues a path: a plain word after a dot, anything else in brackets and quotes.
func member(path, key string) string {
	plain := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	switch {
	case key == "" || strings.ContainsFunc(key, func(r rune) bool { return !plain(r) }):
		return "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return "." + key
}

// index is a name in brackets, quoted where it could be mistaken.
func index(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || name == "" || strings.ContainsAny(name, "[]") {
		return "[" + quoted + "]"
	}
	return "[" + name + "]"
}

// encode is a value as JSON: sorted keys, no space, no escapes for HTML.
func encode(v any) json.RawMessage {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("diff: a decoded value cannot be encoded: " + err.Error())
	}
	return json.RawMessage(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// compareDocuments are the differing fields of two JSON objects, those that drop leaves out not counted. Documents that are other
// bytes and say the same differ in their spelling, unless what is left out differs.
func compareDocuments(a, b []byte, drop func(m map[string]any)) ([]Field, error) {
	left, err := document(a)
	if err != nil {
		return nil, fmt.Errorf("read the first: %w", err)
	}
	right, err := document(b)
	if err != nil {
		return nil, fmt.Errorf("read the second: %w", err)
	}
	if !bytes.Equal(a, b) && len(fields(left, right)) == 0 {
		return []Field{{Path: spelling, A: encode(digest(a)), B: encode(digest(b))}}, nil
	}
	drop(object(left))
	drop(object(right))
	return fields(left, right), nil
}
