package venv

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/venv/tree"
)

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(row{}, script{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []row
		err        string
	}{
		{"empty", "", nil, ""},
		{"plain", "a/b.py,sha256=x-_,12\na.dist-info/RECORD,,\n", []row{{"a/b.py", "sha256=x-_", 12}, {"a.dist-info/RECORD", "", -1}}, ""},
		{"no last newline, CRLF, blank lines", "a,,1\r\n\r\n\nb,,2", []row{{"a", "", 1}, {"b", "", 2}}, ""},
		{"quotes", "\"a,b \"\"c\"\".txt\",,1\nit's \"q\".txt,,2\n", []row{{`a,b "c".txt`, "", 1}, {`it's "q".txt`, "", 2}}, ""},
		{"odd spellings", "/opt/a.py,,1\n./b.py,,2\nc/../d.py,,3\n//e,,4\n", []row{{"opt/a.py", "", 1}, {"b.py", "", 2}, {"d.py", "", 3}, {"e", "", 4}}, ""},
		{"two fields", "a,,1\nb,x\n", nil, "line 2: 2 fields, want path, hash and size"},
		{"four fields", "a,,1,\n", nil, "line 1: 4 fields, want path, hash and size"},
		{"size", "a,,1\n\nb,,1k\n", nil, `line 3: size "1k" is not a number`},
		{"negative size", "a,,-1\n", nil, `line 1: size "-1" is not a number`},
		{"open quote", "a,,1\n\"b,,1\n", nil, "line 2: 1 fields, want path, hash and size"},
		{"quotes in the middle", "a\"b\",\"x\"y\"\"z,\"1\"2\n", []row{{`a"b"`, `xy""z`, 12}}, ""},
		{"quoted lines", "\"a\nb\r\nc\",,\n\"d\n", nil, "line 4: 1 fields, want path, hash and size"},
		{"carriage returns", "a,,1\rb,,2\r\r\nc,,x\n", nil, `line 4: size "x" is not a number`},
		{"numbers", "a,,0x1F\nb,,+7\nc,,007\n", []row{{"a", "", 31}, {"b", "", 7}, {"c", "", 7}}, ""},
		{"byte order mark", "\ufeffa,,1\n", []row{{"a", "", 1}}, ""},
		{"latin-1", "caf\xe9,,1\n", nil, "it is not UTF-8"},
		{"too large", "a,,9223372036854775808\n", nil, `line 1: size "9223372036854775808" is not a number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := parseRecord([]byte(c.text))
			message := ""
			if err != nil {
				message = err.Error()
			}
			equal(t, message, c.err)
			if err == nil {
				equal(t, rows, c.want)
			}
		})
	}
}

func TestFormatRecord(t *testing.T) {
	rows := []row{{"foo/a.py", "sha256=b", 1}, {"../../../bin/x", "", 0}, {"foo-1.dist-info/RECORD", "", -1}, {` lead`, "", 2}, {"a,b", "", 3}, {"line\nbreak", "", 4}, {`q"q`, "", 5}}
	before := slices.Clone(rows)
	equal(t, string(formatRecord(rows)), " lead,,2\n../../../bin/x,,0\n\"a,b\",,3\nfoo-1.dist-info/RECORD,,\nfoo/a.py,sha256=b,1\n\"line\nbreak\",,4\n\"q\"\"q\",,5\n")
	equal(t, rows, before)
}

func TestNewRow(t *testing.T) {
	equal(t, newRow("x", tree.Bytes("")), row{"x", "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", 0})
}

func TestRelative(t *testing.T) {
	const site = "lib/python3.11/site-packages"
	for p, want := range map[string]string{
		"bin/x":                            "../../../bin/x",
		"pyvenv.cfg":                       "../../../pyvenv.cfg",
		"lib/other":                        "../../other",
		"lib/python3.11/x/y":               "../x/y",
		"lib/python3.11/site-packages/a":   "a",
		"lib/python3.11/site-packages/a/b": "a/b",
		"lib/python3.11/site-packages2":    "../site-packages2",
		"include/site/python3.11/n/x.h":    "../../../include/site/python3.11/n/x.h",
	} {
		equal(t, relative(site, p), want)
	}
}

// FuzzRecord: what is read is written so that it reads the same, and what is written is a fixed point.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{"a,sha256=x,1\n", "\"a,\"\"b\",,\n/abs,md5=,0\r\n", "./a,,1\n", "a,,1,\n", "\xef\xbb\xbfa,,9\n", "a\rb,,1\n", "\"x\r\ny\",,\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parseRecord(data)
		if err != nil {
			return
		}
		for _, r := range rows {
			if strings.HasPrefix(r.path, "/") || r.path == "" {
				t.Errorf("path %q", r.path)
			}
		}
		text := formatRecord(rows)
		again, err := parseRecord(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if len(again) != len(rows) {
			t.Errorf("%d rows became %d: %q", len(rows), len(again), text)
		}
		if twice := formatRecord(again); !bytes.Equal(twice, text) {
			t.Errorf("%q became %q", text, twice)
		}
	})
}
