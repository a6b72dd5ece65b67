// Package tomlpos says where in a TOML file a value stands, so that an error found after decoding can name its line.
//
// go-toml gives positions for what it refuses itself (Decode keeps them); once a document is a Go value they are gone.
// An Index is made from the bytes again, only when there is an error to report. Decode is stricter than go-toml in that a
// [table] is no element of an array.
//
// Not done: keys are taken in any case, and dotted keys may make an array's element, both as by go-toml.
//
// The package is a leaf: it imports no other package of the module.
package tomlpos

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Decode decodes a document into v. Keys that v lacks are ignored. An error starts with the file's name, line and
// column; see Explain.
func Decode(data []byte, filename string, v any) error {
	data = Text(data)
	if err := toml.Unmarshal(data, v); err != nil {
		return Explain(err, filename)
	}
	return misplacedTable(data, filename, reflect.TypeOf(v))
}

// Text is a document without the byte order mark that some editors put before it, and that uv reads over (toml_edit skips it).
func Text(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// Explain turns an error of go-toml into one that starts with the file's name, line and column, and that says what the
// document should have rather than which Go type would not take it.
func Explain(err error, filename string) error {
	var malformed *toml.DecodeError
	if !errors.As(err, &malformed) {
		return fmt.Errorf("%s: %w", filename, err)
	}
	line, column := malformed.Position()
	match := mismatch.FindStringSubmatch(malformed.Error())
	if match == nil {
		return fmt.Errorf("%s:%d:%d: %w", filename, line, column, err)
	}
	text := fmt.Sprintf("%s:%d:%d: ", filename, line, column)
	// The key is that of the line: go-toml does not follow into inline tables.
	if key := malformed.Key(); len(key) > 0 {
		text += fmt.Sprintf("in %q: ", strings.Join(key, "."))
	}
	found, want := article(match[1]), ""
	for _, kind := range kinds {
		if strings.HasPrefix(match[2], kind.goType) {
			want = "want " + kind.name + ", "
			break
		}
	}
	return errors.New(text + want + "got " + found)
}

// mismatch is how go-toml says that a value has another type than the Go value it is for.
var mismatch = regexp.MustCompile(`(?s)cannot decode TOML ([a-z ]+) into (?:struct field .* of type )?(\S+)`)

// kinds are the Go types that vpk decodes into, by how they begin, and what TOML calls their values.
var kinds = []struct{ goType, name string }{
	{"string", "a string"}, {"*string", "a string"}, {"[]string", "an array of strings"}, {"[]", "an array"},
	{"bool", "true or false"}, {"*bool", "true or false"}, {"map[string]string", "a table of strings"},
	{"map[", "a table"}, {"*map[", "a table"}, {"struct", "a table"}, {"*struct", "a table"},
	{"int", "an integer"}, {"*int", "an integer"}, {"uint", "an integer"}, {"*uint", "an integer"},
}

// article puts "a" or "an" before a TOML type.
func article(kind string) string {
	if strings.HasPrefix(kind, "a") || strings.HasPrefix(kind, "i") {
		return "an " + kind
	}
	return "a " + kind
}

// Index holds the line of every key and array element of a document.
type Index struct{ lines map[string]int }

// NewIndex reads a document. A document that is no TOML gives the index of what precedes the fault.
func NewIndex(data []byte) *Index {
	data = Text(data)
	w := walker{lines: map[string]int{}, elements: map[string]int{}, data: data, line: 1}
	w.parser.Reset(data)
	table := ""
	for w.parser.NextExpression() {
		node := w.parser.Expression()
		switch node.Kind {
		case unstable.Table:
			table = w.key("", node.Key())
		case unstable.ArrayTable:
			table = w.arrayTable(node.Key())
		case unstable.KeyValue:
			w.keyValue(table, node)
		}
	}
	return &Index{lines: w.lines}
}

// Line is the line, from 1, of the value at a path of keys (strings) and positions in arrays (ints). Where there is no
// such value it is the line of the longest part of the path that exists; 0 if nothing does.
func (x *Index) Line(path ...any) int {
	line, at := 0, ""
	for _, step := range path {
		switch step := step.(type) {
		case string:
			at = join(at, step)
		case int:
			at = join(at, strconv.Itoa(step))
		}
		l, ok := x.lines[at]
		if !ok {
			break
		}
		line = l
	}
	return line
}

func join(path, step string) string { return path + "\x00" + step }

type walker struct {
	parser unstable.Parser
	lines  map[string]int
	// elements counts the tables of each array of tables so far.
	elements map[string]int
	data     []byte
	// offset and line are the last place asked for: the document is read forwards, so lines are counted once.
	offset, line int
}

// key records every prefix of a dotted key and gives its path. A prefix that names an array of tables means its last.
func (w *walker) key(path string, key unstable.Iterator) string {
	for key.Next() {
		node := key.Node()
		path = join(path, string(node.Data))
		w.record(path, node.Raw)
		if n := w.elements[path]; n > 0 && !key.IsLast() {
			path = join(path, strconv.Itoa(n-1))
		}
	}
	return path
}

func (w *walker) arrayTable(key unstable.Iterator) string {
	var last unstable.Range
	for k := key; k.Next(); {
		last = k.Node().Raw
	}
	path := w.key("", key)
	n := w.elements[path]
	w.elements[path] = n + 1
	path = join(path, strconv.Itoa(n))
	w.record(path, last)
	return path
}

func (w *walker) keyValue(table string, node *unstable.Node) {
	w.value(w.key(table, node.Key()), node.Value())
}

// value records what is inside a value. Nesting is bounded by the parser.
func (w *walker) value(path string, node *unstable.Node) {
	children := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		for children.Next() {
			w.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			element := join(path, strconv.Itoa(i))
			// An array has no place of its own; its first element's does for it.
			if child := children.Node(); child.Kind != unstable.Array {
				w.record(element, child.Raw)
			}
			w.value(element, children.Node())
		}
	}
}

func (w *walker) record(path string, r unstable.Range) {
	offset := int(r.Offset)
	if offset < w.offset {
		w.offset, w.line = 0, 1
	}
	w.line += bytes.Count(w.data[w.offset:offset], []byte{'\n'})
	w.offset = offset
	if _, ok := w.lines[path]; !ok {
		w.lines[path] = w.line
	}
}
