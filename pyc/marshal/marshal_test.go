package marshal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"vpk/internal/peer"
)

// tags are the cache tags of the formats, and the digest of what testdata/module.py, compiled by an interpreter of that
// minor, is rewritten to. A deliberate change of a digest raises pyc.FormatVersion.
var tags = map[string]string{
	"cpython-39":  "4c383b9d8007d12d84fb1bffdd15133c758498d719de85773e256d899c8ad80d",
	"cpython-310": "aba7e7c47716402002fae6e88232b5c445032f803a1e24f60ab367adef39921a",
	"cpython-311": "39ec88e9a9c566d3687db31bd2e75b38c72fc135602e3aa0b3352c050b20d67a",
	"cpython-312": "0981fcac4410f3d15967a031b83445d1a8be4755e08b24690f06b6ab2c889fdb",
	"cpython-313": "84645d31558d945d153089a98fbe63e370a5b87c367e3591dcbec4a982de295b",
	"cpython-314": "2b9f719e9c628d50723dc1ba499bc976e507ad9801cadff8903b08fd69eb1e30",
}

func testModule(t testing.TB, tag string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/module." + tag + ".marshal")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	for tag, want := range tags {
		f, ok := For(tag)
		if !ok {
			t.Fatalf("no format for %s", tag)
		}
		data := testModule(t, tag)
		whole := canonical(t, f, "/app/module.py", data)
		if got := fmt.Sprintf("%x", sha256.Sum256(whole)); got != want {
			t.Errorf("%s: digest %s, want %s", tag, got, want)
		}
		if len(whole) >= len(data) {
			t.Errorf("%s: %d bytes became %d", tag, len(data), len(whole))
		}
	}
}

func TestFor(t *testing.T) {
	for _, tag := range []string{"", "cpython-38", "cpython-315", "cpython-313t", "cpython-3011", "cpython-3", "cpython-3-9", "pypy-311", "cpython-39.opt-1"} {
		if _, ok := For(tag); ok {
			t.Errorf("a format for %q", tag)
		}
	}
}

func TestErrors(t *testing.T) {
	f, _ := For("cpython-311")
	good := testModule(t, "cpython-311")
	old, _ := For("cpython-310")
	deep := append(bytes.Repeat([]byte{typeSmallTuple, 1}, 3000), 'N')
	numbers := make([]byte, 20)
	code := func(parts string) []byte {
		return append(append([]byte{typeCode}, numbers...), parts...)
	}
	name := "\x5a\x01a"
	rest := "s\x00\x00\x00\x00)\x00)\x00)\x00s\x00\x00\x00\x00" + name + name + name + "\x00\x00\x00\x00s\x00\x00\x00\x00s\x00\x00\x00\x00"
	if _, _, err := f.Canonical(nil, code(rest)); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		format *Format
		data   []byte
		want   string
	}{
		"nothing":                        {f, nil, "offset 0: the data ends early"},
		"no code object":                 {f, []byte(")\x00"), `type '(' is no code object`},
		"something after it":             {f, append(bytes.Clone(good), 'N'), "1 bytes follow"},
		"end":                            {f, good[:len(good)-1], "the data ends early"},
		"a list":                         {f, code("[\x00\x00\x00\x00"), `offset 21: type byte 0x5b ('[') is unknown`},
		"a slice before 3.14":            {f, code(":NNN"), "type byte 0x3a"},
		"a layout of another minor":      {old, good, "offset "},
		"too deep":                       {f, code(string(deep)), "objects nest more than 2000 deep"},
		"more elements than bytes":       {f, code("(\xff\xff\xff\x7f"), "the data ends early"},
		"a negative length":              {f, code("s\xff\xff\xff\xff"), "a length of -1"},
		"a reference to nothing":         {f, code("r\x00\x00\x00\x00"), "reference to 0, of 0 objects"},
		"a reference to what it is in":   {f, append([]byte{typeCode | flagRef}, code("r\x00\x00\x00\x00")[1:]...), "reference to 0, of 1 objects"},
		"a flagged reference":            {f, code("\xf2\x00\x00\x00\x00"), "type byte 0xf2"},
		"a flagged None":                 {f, code("\xce"), "reference flag"},
		"a string where instructions go": {f, code(strings.Replace(rest, "s\x00\x00\x00\x00", name, 1)), `type 'a' is not what`},
		"a number for a name":            {f, code(strings.Replace(rest, name, "i\x00\x00\x00\x00", 2)), `type 'i' is not what`},
		"a code object in a frozenset":   {f, code("s\x00\x00\x00\x00)\x01>\x01\x00\x00\x00" + string(code(rest))), "a code object in a frozenset"},
		"two files": {f, code(strings.Replace(strings.Replace(rest, ")\x00", ")\x01"+string(code(strings.Replace(rest, name, "\x5a\x01b", 1))), 1), "\x00", "\x00", 1)),
			`code objects name the files "b" and "a"`},
	} {
		t.Run(what, func(t *testing.T) {
			dst := []byte("before")
			out, _, err := c.format.Canonical(dst, c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if string(out) != "before" {
				t.Errorf("appended %d bytes", len(out)-len(dst))
			}
		})
	}
}

// What frozensets share must not cost more than it takes to read.
func TestSharingIsNoBomb(t *testing.T) {
	f, _ := For("cpython-311")
	consts := "\xa9\x02\xe9\x01\x00\x00\x00\xe9\x02\x00\x00\x00" // a pair, object 0
	for i := range 100 {
		previous := fmt.Sprintf("r%c\x00\x00\x00", i)
		if i > 0 {
			previous = fmt.Sprintf("r%c\x00\x00\x00", i+2) // after the two numbers
		}
		consts += "\xa9\x02" + previous + previous
	}
	consts += ">\x02\x00\x00\x00N" + fmt.Sprintf("r%c\x00\x00\x00", 102)
	name := "\x5a\x01a"
	data := append([]byte{typeCode}, make([]byte, 20)...)
	data = append(data, "s\x00\x00\x00\x00"+")\x66"+consts+")\x00)\x00s\x00\x00\x00\x00"+name+name+name+"\x00\x00\x00\x00s\x00\x00\x00\x00s\x00\x00\x00\x00"...)
	if _, _, err := f.Canonical(nil, data); err == nil || !strings.Contains(err.Error(), "share too much") {
		t.Errorf("error %v", err)
	}
}

func TestFileNames(t *testing.T) {
	f, _ := For("cpython-311")
	interning, _ := For("cpython-313")
	for _, c := range []struct {
		f      *Format
		path   string
		shared bool
		want   string
	}{
		{f, "/a.py", false, "z\x05/a.py"},
		{f, "/a.py", true, "\xfa\x05/a.py"},
		{interning, "/a.py", true, "\xda\x05/a.py"},
		{f, strings.Repeat("a", 256), false, "a\x00\x01\x00\x00" + strings.Repeat("a", 256)},
		{f, "/é.py", false, "u\x06\x00\x00\x00/é.py"},
		{interning, "/é.py", true, "\xf4\x06\x00\x00\x00/é.py"},
		{f, "/\xff.py", false, "u\x07\x00\x00\x00/\xed\xb3\xbf.py"},
		{f, "/\xed\xa0\x80", false, "u\x0a\x00\x00\x00/\xed\xb3\xad\xed\xb2\xa0\xed\xb2\x80"},
	} {
		if got := string(c.f.FileName(c.path, c.shared)); got != c.want {
			t.Errorf("%q, %v: %q, want %q", c.path, c.shared, got, c.want)
		}
	}
	for _, minor := range peer.CPythons {
		t.Run(minor, func(t *testing.T) {
			f := format(t, minor)
			var sources []source
			for _, name := range []string{"/a.py", "/é.py", "/" + strings.Repeat("ab", 200), "/" + strings.Repeat("é", 200)} {
				sources = append(sources, source{name, ""}, source{name, "lambda: 0"})
			}
			made := compiled(t, minor, "0", "fresh", sources)
			var names []string
			var pairs [][]byte
			for i, s := range sources {
				whole := canonical(t, f, s.name, made[i])
				if !bytes.Contains(whole, f.FileName(s.name, s.text != "")) {
					t.Errorf("%s: not its name", s.name)
				}
				names, pairs = append(names, s.name), append(pairs, made[i], whole)
			}
			walk(t, minor, names, pairs)
		})
	}
}
