package venv

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseScripts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []script
		err        string
	}{
		{"empty", "", []script{}, ""},
		{"plain", "[console_scripts]\na = m:f\n", []script{{"a", "m", "f"}}, ""},
		{"spaces, dots, dashes, extras", "[console_scripts]\n  b  =  m.n-o : f.g  [ x , y ]  \na=m:f[x]\n", []script{{"a", "m", "f"}, {"b", "m.n-o", "f.g"}}, ""},
		{"colon for a delimiter", "[console_scripts]\na: m:f\n", []script{{"a", "m", "f"}}, ""},
		{"the first delimiter", "[console_scripts]\na:b = m:f\n", nil, `script "a" is "b = m:f", want MODULE:FUNCTION`},
		{"comments", "# x\n[console_scripts] ; y\n; a = b:c\na = m:f # z\nb = m:f;z\n", []script{{"a", "m", "f"}, {"b", "m", "f"}}, ""},
		{"gui wins", "[gui_scripts]\na = g:f\n[console_scripts]\na = c:f\nb = c:f\n", []script{{"a", "g", "f"}, {"b", "c", "f"}}, ""},
		{"section again, last key counts", "[console_scripts]\na = m:f\n[x]\nq\n[ console_scripts ]\na = n:g\nb = n:h\n", []script{{"a", "n", "g"}, {"b", "n", "h"}}, ""},
		{"indented", "\t[console_scripts]\n    a = m:f\n", []script{{"a", "m", "f"}}, ""},
		{"case matters", "[Console_Scripts]\na = m:f\n[console_scripts]\nA = m:f\na = m:g\n", []script{{"A", "m", "f"}, {"a", "m", "g"}}, ""},
		{"byte order mark", "\ufeff[console_scripts]\na = m:f\n", []script{}, ""},
		{"unicode", "[console_scripts]\ngrün = größe:f_1\n", []script{{"grün", "größe", "f_1"}}, ""},
		{"CRLF", "[console_scripts]\r\na = m:f\r\n", []script{{"a", "m", "f"}}, ""},
		{"name with a space", "[console_scripts]\nmy tool = m:f\n", []script{{"my tool", "m", "f"}}, ""},
		{"other sections are free", "[x]\n../evil = 1\n[pytest11]\na\n", []script{}, ""},
		{"pip", "[console_scripts]\npip = p:m\npip3 = p:n\npip3.9 = p:o\npip3.x = p:q\npip4.1 = p:r\n",
			[]script{{"pip", "p", "m"}, {"pip3", "p", "n"}, {"pip3.11", "p", "n"}, {"pip3.x", "p", "q"}, {"pip4.1", "p", "r"}}, ""},
		{"gui pip is no pip", "[gui_scripts]\npip3 = p:n\npip3.9 = p:o\n", []script{{"pip3", "p", "n"}, {"pip3.9", "p", "o"}}, ""},
		{"no value", "[console_scripts]\na\n", nil, `script "a" has no value`},
		{"no continuation", "[console_scripts]\na =\n  m:f\n", nil, `script "a" is "", want MODULE:FUNCTION; script "m" is "f", want MODULE:FUNCTION`},
		{"no function", "[console_scripts]\na = m\n", nil, `script "a" is "m", want MODULE:FUNCTION`},
		{"code", "[console_scripts]\na = m:f()\n", nil, `script "a" is "m:f()", want MODULE:FUNCTION`},
		{"no key", "[console_scripts]\n\n= m:f\n", nil, "line 3: there is no key"},
		{"open section", "[console_scripts\na = m:f\n", nil, "line 1: a section's name has no closing bracket"},
		{"all that is wrong", "[console_scripts]\nsub/x = m:f\n.. = m:f\na\\b = m:f\npython3.12 = m:f\nz\x01 = m:f\n[gui_scripts]\npythonw = m:f\n", nil,
			`script name ".." is a path; script name "a\\b" is a path; script name "python3.12" is reserved for the interpreter; ` +
				`script name "pythonw" is reserved for the interpreter; script name "sub/x" is a path; script name "z\x01" has a control character`},
		{"not UTF-8", "[console_scripts]\na = m:f\n\xff", nil, "it is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseScripts([]byte(c.text), 11)
			message := ""
			if err != nil {
				message = err.Error()
			}
			equal(t, message, c.err)
			if err == nil {
				equal(t, got, c.want)
			}
		})
	}
}

func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{
		"python": true, "pythonw": true, "python3": true, "python3.0": true, "python3.255": true,
		"python2": false, "python3.256": false, "python3.x": false, "python3.": false, "Python": false, "activate": false,
	} {
		equal(t, reserved(name), want)
	}
}

func TestLauncher(t *testing.T) {
	equal(t, string(script{"tool", "pkg.cli", "App.run"}.launcher("#!/v/bin/python\n")), `#!/v/bin/python
# -*- coding: utf-8 -*-
import sys
from pkg.cli import App
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit(App.run())
`)
}

// FuzzScripts: scripts have distinct safe names in order, nothing but names goes into their text, and written out they
// read the same.
func FuzzScripts(f *testing.F) {
	for _, s := range []string{"[console_scripts]\na = m:f\n", "[gui_scripts]\npip3 = a:b [c]\n;x\n", "[console_scripts]\nx", "[a]b]\n=", "[console_scripts]\npip3=a:b\npip3.1=c:d"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		scripts, err := parseScripts(data, 11)
		if err != nil {
			return
		}
		var text strings.Builder
		text.WriteString("[gui_scripts]\n") // where pip is a name like any other
		for i, s := range scripts {
			if i > 0 && scripts[i-1].name >= s.name {
				t.Errorf("%q comes after %q", s.name, scripts[i-1].name)
			}
			if strings.ContainsAny(s.name, "/\\\x00\n") || s.name == "" || s.name == ".." {
				t.Errorf("name %q", s.name)
			}
			if strings.ContainsAny(s.module+s.function, " \n\r\t()=;#'\"") || s.module == "" || s.function == "" {
				t.Errorf("reference %q:%q", s.module, s.function)
			}
			fmt.Fprintf(&text, "%s = %s:%s\n", s.name, s.module, s.function)
		}
		again, err := parseScripts([]byte(text.String()), 11)
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		equal(t, again, scripts)
	})
}
