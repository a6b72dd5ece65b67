package venv

import (
	"maps"
	"strings"
	"testing"
)

func TestParseHeaders(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       headers
	}{
		{"plain", "Name: a\r\nVersion:1\n\nBody: no\n", headers{"name": {"a"}, "version": {"1"}}},
		{"several", "Tag: a\nTag:  b \n", headers{"tag": {"a", "b"}}},
		{"continued", "Summary: a\n\tb\n  c\nName: x\n", headers{"summary": {"a\nb\nc"}, "name": {"x"}}},
		{"no colon", "Name: x\njunk\n\tmore junk\nVersion: 1\n", headers{"name": {"x"}, "version": {"1"}}},
		{"continues nothing", "\tName: x\nName: y\n", headers{"\tname": {"x"}, "name": {"y"}}},
		{"space before the colon", "Name : x\nName\t: y\nName\r: z\n", headers{"name ": {"x"}, "name\t": {"y"}, "name\r": {"z"}}},
		{"colons", "Url: a: b://c\n", headers{"url": {"a: b://c"}}},
		{"empty", "", headers{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseHeaders([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
	for _, text := range []string{" Name: x\n", "Name: x\njunk\n more\n"} {
		if _, err := parseHeaders([]byte(text)); err == nil || !strings.Contains(err.Error(), "continues no field") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCheckMetadata(t *testing.T) {
	for _, c := range []struct{ name, text, fileName, version, err string }{
		{"same", "Name: a\nVersion: 1.0\n", "a", "1.0", ""},
		{"normal forms", "name: My.Pkg\nVERSION: 1.0.0\n", "my_pkg", "1.0", ""},
		{"local part in the file name", "Name: a\nVersion: 1.0\n", "a", "1.0+cpu", ""},
		{"local part in METADATA", "Name: a\nVersion: 1.0+cpu\n", "a", "1.0", `its Version is "1.0+cpu", the file name says "1.0"`},
		{"other name", "Name: b\nVersion: 1.0\n", "a", "1.0", `its Name is "b", the file name says "a"`},
		{"other version", "Name: a\nVersion: 1.1\n", "a", "1.0", `its Version is "1.1", the file name says "1.0"`},
		{"no name", "Version: 1.0\n", "a", "1.0", "there is no Name"},
		{"unknown version", "Name: a\nVersion: UNKNOWN\n", "a", "1.0", "there is no Version"},
		{"in the body", "\nName: a\nVersion: 1.0\n", "a", "1.0", "there is no Name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := checkMetadata([]byte(c.text), c.fileName, c.version); err != nil {
				got = err.Error()
			}
			equal(t, got, c.err)
		})
	}
	for _, text := range []string{"Name: a b\nVersion: 1\n", "Name: a\nVersion: one\n"} {
		if err := checkMetadata([]byte(text), "a", "1"); err == nil {
			t.Errorf("%q passes", text)
		}
	}
	if err := checkMetadata([]byte("Name: a\nVersion: 1\n"), "a", "x"); err == nil {
		t.Error("a file name without a version passes")
	}
}

func TestCheckWheelVersion(t *testing.T) {
	for text, ok := range map[string]bool{
		"Wheel-Version: 1.0\n": true, "Wheel-Version: 1.9\n": true, "wheel-version: 1.0\nWheel-Version: 2.0\n": true, "Wheel-Version: 0.1\n": true,
		"Wheel-Version: 2.0\n": false, "Wheel-Version: 1\n": false, "Wheel-Version: 0.2\n": false, "": false, "Wheel-Version: 10.0\n": false,
	} {
		if err := checkWheelVersion([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzHeaders: every value is trimmed, and headers that are written out read the same.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"Name: a\nVersion: 1\n", "A: b\n\tc\n\nbody", ": x\n", "a:\n \n b\n", "Wheel-Version: 1.0\r\nTag: x\r\n", "K\u00a0: v\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseHeaders(data)
		if err != nil {
			return
		}
		var text strings.Builder
		text.WriteString("First: line\n")
		// After a line, these would continue it.
		maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "\t") })
		for name, values := range h {
			for _, v := range values {
				if v != strings.TrimSpace(v) {
					t.Errorf("%q: value %q", name, v)
				}
				text.WriteString(name + ": " + strings.ReplaceAll(v, "\n", "\n ") + "\n")
			}
		}
		h["first"] = append([]string{"line"}, h["first"]...)
		again, err := parseHeaders([]byte(text.String()))
		equal(t, err, nil)
		equal(t, again, h)
		// Neither may panic; what they make of it, the tables say.
		_ = checkMetadata(data, "a", "1")
		_ = checkWheelVersion(data)
	})
}
