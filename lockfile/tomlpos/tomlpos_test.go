package tomlpos_test

import (
	"strings"
	"testing"

	"vpk/lockfile/tomlpos"
)

const document = `top = 1
dotted.key."quoted key" = "x"

[table]
list = [
    "zero",
    { a = 1, b = [
        "deep",
    ] },
    [[ "nested" ]],
]

[[array]] # the first
name = "one"
[[array]]
name = "two"
[array.sub]
key = """
text"""
[[array.inner]]
x = 1
[[array.inner]]
x = 2
`

func TestIndex(t *testing.T) {
	index := tomlpos.NewIndex([]byte(document))
	cases := []struct {
		path []any
		want int
	}{
		{[]any{}, 0},
		{[]any{"nothing"}, 0},
		{[]any{"top"}, 1},
		{[]any{"top", "below"}, 1},
		{[]any{"dotted", "key"}, 2},
		{[]any{"dotted", "key", "quoted key"}, 2},
		{[]any{"table"}, 4},
		{[]any{"table", "list"}, 5},
		{[]any{"table", "list", 0}, 6},
		{[]any{"table", "list", 1}, 7},
		{[]any{"table", "list", 1, "a"}, 7},
		{[]any{"table", "list", 1, "b", 0}, 8},
		{[]any{"table", "list", 2, 0, 0}, 5}, // an array of arrays has no place of its own
		{[]any{"table", "list", 7}, 5},
		{[]any{"array"}, 13},
		{[]any{"array", 0}, 13},
		{[]any{"array", 0, "name"}, 14},
		{[]any{"array", 1}, 15},
		{[]any{"array", 1, "name"}, 16},
		{[]any{"array", 1, "sub", "key"}, 18},
		{[]any{"array", 1, "inner", 1, "x"}, 23},
		{[]any{"array", 0, "inner", 1, "x"}, 13},
	}
	for _, c := range cases {
		if got := index.Line(c.path...); got != c.want {
			t.Errorf("line of %v: %d, want %d", c.path, got, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	var v struct{ A int }
	if err := tomlpos.Decode([]byte("a = 1\nb = 2\n"), "f.toml", &v); err != nil || v.A != 1 {
		t.Errorf("%v, %v", v, err)
	}
	if err := tomlpos.Decode([]byte("\xef\xbb\xbfa = 2\n"), "f.toml", &v); err != nil || v.A != 2 {
		t.Errorf("with a byte order mark: %v, %v", v, err)
	}
	if line := tomlpos.NewIndex([]byte("\xef\xbb\xbf\na = 2\n")).Line("a"); line != 2 {
		t.Errorf("with a byte order mark: line %d, want 2", line)
	}
	for text, want := range map[string]string{
		"a = 1\nb =\n": "f.toml:2:4: toml: ",
		"a = 1\na = 2": "f.toml:2:1: toml: ",
	} {
		if err := tomlpos.Decode([]byte(text), "f.toml", &v); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// What has the wrong type is told in TOML's words, not in Go's.
func TestDecodeWrongTypes(t *testing.T) {
	var v struct {
		Number  int
		Flag    *bool
		Project *struct {
			Name    *string
			Words   []string
			Any     []any
			Texts   map[string]string
			Tables  map[string][]string
			Details map[string]any
		}
	}
	for text, want := range map[string]string{
		"\n\nnumber = 'x'":             `f.toml:3:10: in "number": want an integer, got a string`,
		"flag = 1":                     `f.toml:1:8: in "flag": want true or false, got an integer`,
		"project = 1":                  `f.toml:1:11: in "project": want a table, got an integer`,
		"[project]\nname = 3":          `f.toml:2:8: in "project.name": want a string, got an integer`,
		"[project]\nwords = 'x'":       `f.toml:2:9: in "project.words": want an array of strings, got a string`,
		"project.words = ['x', 1.5]":   `f.toml:1:23: in "project.words": want a string, got a float`,
		"project = {any = true}":       `f.toml:1:18: in "project": want an array, got a boolean`,
		"[project]\ntexts = {a = 1}":   `f.toml:2:14: in "project.texts": want a string, got an integer`,
		"[project.texts]\na = []":      `f.toml:2:5: in "project.texts.a": want a string, got an array`,
		"[project]\ntables.a = ''":     `f.toml:2:12: in "project.tables.a": want an array of strings, got a string`,
		"[project]\ndetails = 'x'":     `f.toml:2:11: in "project.details": want a table, got a string`,
		"[project]\nname = 1979-05-27": `f.toml:2:8: in "project.name": want a string, got a local date`,
		"[project]\nname = {}":         `f.toml:2:8: in "project.name": want a string, got an inline table`,
		"[[project]]\nname = 'x'":      `f.toml:1:3: toml: cannot store an array table in a struct`,
		"[project.name]\nx = 1":        `f.toml:1:2: toml: cannot store a table in a string`,
	} {
		err := tomlpos.Decode([]byte(text), "f.toml", &v)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// A table is no array, and what only looks like a header is no table.
func TestDecodeMisplacedTables(t *testing.T) {
	var v struct {
		Words   []string            `toml:"words"`
		Items   []struct{ X int }   `toml:"items"`
		Lists   map[string][]string `toml:"lists"`
		Project *struct {
			Parts *[]struct{ Y []int } `toml:"parts"`
			Text  string               `toml:"text"`
			Rows  [][]string           `toml:"rows"`
		} `toml:"project"`
	}
	for text, want := range map[string]string{
		"\n[items]\nx = 1":                               `f.toml:2:2: in "items": want an array, got a table`,
		"[project]\n  [ project . \"parts\" ]":           `f.toml:2:5: in "project.parts": want an array, got a table`,
		"[project]\ntext = '''\n[items]\n'''\n[items]":   `f.toml:5:2: in "items": want an array, got a table`,
		"[project]\ntext = '''\n[items]\n'''":            "",
		"[project]\nrows = [\n[\"words\"]\n]":            "",
		"[[items]]\nx = 1\n[[items]]\n[lists]\na = ['']": "",
		"[items.below]\n[future]\n[project.future]":      "",
	} {
		err := tomlpos.Decode([]byte(text), "f.toml", &v)
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// FuzzIndex wants every place to be a line of the document, also of one that is no TOML, and no table in place of an array
// where there is none.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(document), "array", "name", 1)
	f.Add([]byte("[array]\n[array.inner]\n'''\n[array]\n'''"), "array", "inner", 0)
	f.Add([]byte("a = [[[1]]]\n[a.b]\n[[a]]\n[[a.b]]"), "a", "b", 0)
	f.Fuzz(func(t *testing.T, data []byte, a, b string, i int) {
		index := tomlpos.NewIndex(data)
		lines := strings.Count(string(data), "\n") + 1
		for _, path := range [][]any{{a}, {a, b}, {a, i}, {a, i, b}, {a, b, i}} {
			if line := index.Line(path...); line < 0 || line > lines {
				t.Errorf("line of %v: %d of %d", path, line, lines)
			}
		}
		var v map[string]any
		_ = tomlpos.Decode(data, "f", &v)
		var lists struct {
			Array []struct {
				Inner []any `toml:"inner"`
			} `toml:"array"`
		}
		err := tomlpos.Decode(data, "f", &lists)
		if err != nil && strings.HasSuffix(err.Error(), "want an array, got a table") && !strings.Contains(string(data), "[") {
			t.Errorf("there is no table: %v", err)
		}
	})
}
