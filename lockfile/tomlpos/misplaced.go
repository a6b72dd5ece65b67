package tomlpos

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// misplacedTable is the error for the first [header] of a document at which the type it was decoded into has an array. go-toml
// takes such a table for the array's last element; uv, and TOML, do not.
func misplacedTable(data []byte, filename string, of reflect.Type) error {
	var suspects []int
	for offset := 0; offset < len(data); {
		line := data[offset:]
		next := len(data)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], offset+i+1
		}
		if header := bytes.TrimLeft(line, " \t"); isTable(header) && holdsArray(of, headerKeys(header)) {
			suspects = append(suspects, offset)
		}
		offset = next
	}
	if len(suspects) == 0 {
		return nil
	}
	// What looks like a header may be part of a string: only the whole document tells.
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() && len(suspects) > 0 {
		node := p.Expression()
		if node.Kind != unstable.Table {
			continue
		}
		key := node.Key()
		key.Next()
		at := int(key.Node().Raw.Offset)
		for len(suspects) > 0 && suspects[0] < at {
			end := bytes.IndexByte(data[suspects[0]:], '\n')
			if end >= 0 && suspects[0]+end < at {
				suspects = suspects[1:]
				continue
			}
			return fmt.Errorf("%s:%d:%d: in %q: want an array, got a table", filename, bytes.Count(data[:at], []byte{'\n'})+1,
				at-suspects[0]+1, strings.Join(headerKeys(bytes.TrimLeft(data[suspects[0]:], " \t")), "."))
		}
	}
	return nil
}

// isTable tells a line that may be the header of a table, not of an array of tables.
func isTable(line []byte) bool { return len(line) > 1 && line[0] == '[' && line[1] != '[' }

// headerKeys are the keys of the header that a text begins with, none if it is no header.
func headerKeys(text []byte) []string {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	var p unstable.Parser
	p.Reset(text)
	if !p.NextExpression() || p.Expression().Kind != unstable.Table {
		return nil
	}
	var keys []string
	for key := p.Expression().Key(); key.Next(); {
		keys = append(keys, string(key.Node().Data))
	}
	return keys
}

// holdsArray tells whether a type has an array at a path of keys. On the way there a key leads into an array's elements.
func holdsArray(t reflect.Type, keys []string) bool {
	if len(keys) == 0 {
		return false
	}
	for _, key := range keys {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			of := t
			t = nil
			for i := range of.NumField() {
				if tag, _, _ := strings.Cut(of.Field(i).Tag.Get("toml"), ","); tag == key {
					t = of.Field(i).Type
				}
			}
			if t == nil {
				return false
			}
		default:
			return false
		}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Slice
}
