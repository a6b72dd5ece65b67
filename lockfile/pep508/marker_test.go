package pep508

import (
	"errors"
	"strings"
	"testing"

	"vpk/lockfile/pep440"
)

func TestMarkerCanonicalText(t *testing.T) {
	for in, want := range map[string]string{
		`python_version<"3.12"and extra=="C_PU"`:                                                    `python_version < '3.12' and extra == 'c-pu'`,
		`'B.c' == extra`:                                                                            `extra == 'b-c'`,
		`(os.name == 'a' or (sys.platform == 'b'))`:                                                 `os_name == 'a' or sys_platform == 'b'`,
		`python_implementation == 'CPython'`:                                                        `platform_python_implementation == 'CPython'`,
		`os_name == 'a' and os_name == 'b' or os_name == 'c'`:                                       `(os_name == 'a' and os_name == 'b') or os_name == 'c'`,
		`os_name == 'a' and (os_name == 'b' or os_name == 'c')`:                                     `os_name == 'a' and (os_name == 'b' or os_name == 'c')`,
		`os_name == 'a' and (os_name == 'b' and (os_name == 'c'))`:                                  `os_name == 'a' and os_name == 'b' and os_name == 'c'`,
		`'x'in platform_release or platform_release not  in "y"`:                                    `'x' in platform_release or platform_release not in 'y'`,
		`'3.8' <= python_version`:                                                                   `'3.8' <= python_version`,
		`sys_platform == "it's"`:                                                                    `sys_platform == "it's"`,
		`sys_platform == 'say "x"'`:                                                                 `sys_platform == 'say "x"'`,
		`sys_platform == 'a\'`:                                                                      `sys_platform == 'a\'`,
		`python_full_version == '3.11.*'`:                                                           `python_full_version == '3.11.*'`,
		`'Dev' not in dependency_groups`:                                                            `'dev' not in dependency_groups`,
		`extra == 'extra-3-foo-bar' or (extra == 'group-3-foo-a' and extra != 'x')`:                 `extra == 'extra-3-foo-bar' or (extra == 'group-3-foo-a' and extra != 'x')`,
		`(python_full_version >= '3.11' and os_name == 'nt') or sys_platform == 'linux'`:            `(python_full_version >= '3.11' and os_name == 'nt') or sys_platform == 'linux'`,
		`os_name == 'a' and ('x' == 'y' or os_name ~= 'b')`:                                         `os_name == 'a'`,
		`('x' == 'y' and os_name == os_name) or extra in 'a'`:                                       ``,
		`python_version ~= '3' and python_version ~= 'x' or python_version ~= '3.8'`:                `python_version ~= '3.8'`,
		`os_name == 'a' or python_version === 'a b' or python_version === '3.8'`:                    `os_name == 'a' or python_version === '3.8'`,
		` ((( python_version > '3' ))) `:                                                            `python_version > '3'`,
		"\tpython_version\t>\t'3'\t":                                                                `python_version > '3'`,
		strings.Repeat("(", maxDepth) + "os_name == 'a'" + strings.Repeat(")", maxDepth):            `os_name == 'a'`,
		`os_name == 'a' or (os_name == 'b' or os_name == 'c') or (os_name == 'd' or "" in os_name)`: `os_name == 'a' or os_name == 'b' or os_name == 'c' or os_name == 'd' or '' in os_name`,
	} {
		m, err := ParseMarker(in)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.String() != want || m.IsTrue() != (want == "") {
			t.Errorf("ParseMarker(%q) = %q, want %q", in, m, want)
		}
	}
}

func TestMarkerErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  `column 1: a quoted text or the name of a variable has to stand here`,
		"python_version":                    `column 15: an operator has to stand here: one of ==, !=, <=, >=, <, >, ~=, ===, in, not in`,
		"python_version >=":                 `column 18: a quoted text or the name of a variable has to stand here`,
		"python_version >= 3":               `column 19: a quoted text or the name of a variable has to stand here`,
		"python_version >= '3":              `column 19: the closing quote is missing`,
		"python_versions >= '3'":            `column 1: a quoted text or the name of a variable has to stand here`,
		"os_name not 'x'":                   `column 13: "in" has to follow "not"`,
		"os_name == 'x' foo":                `column 16: unexpected 'f': "and", "or" or the end has to follow`,
		"os_name == 'é' foo":                `column 16: unexpected 'f': "and", "or" or the end has to follow`,
		"os_name == 'x' and":                `column 19: a quoted text or the name of a variable has to stand here`,
		"os_name == 'x' or (os_name in":     `column 30: a quoted text or the name of a variable has to stand here`,
		"os_name == 'x' or (os_name in 'x'": `column 34: "and", "or" or the ")" for the "(" in column 19 has to follow`,
		"os_name == 'x')":                   `column 15: unexpected ')': "and", "or" or the end has to follow`,
		"os_name == 'a\nb'":                 `column 14: a line break or NUL within quotes`,
		"os_name === 'x'":                   `column 9: "===" compares versions, which os_name is not`,
		"extras == 'x'":                     `column 1: extras stands only to the right of "in" or "not in"`,
		"'x' == dependency_groups":          `column 1: dependency_groups stands only to the right of "in" or "not in"`,
		strings.Repeat("(", maxDepth+1):     `column 101: more than 100 parentheses within each other`,
	} {
		_, err := ParseMarker(in)
		var bad *pep440.SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("ParseMarker(%q): %v", in, err)
			continue
		}
		if _, got, _ := strings.Cut(err.Error(), `": `); got != want {
			t.Errorf("ParseMarker(%q):\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestEvaluate(t *testing.T) {
	target := linux("3.11", "3.11.2", "x86_64")
	candidate := linux("3.14", "3.14.0rc1", "aarch64")
	for _, c := range []struct {
		marker string
		env    Environment
		want   bool
	}{
		{"python_full_version >= '3.11'", target, true},
		{"python_full_version == '3.11.*'", target, true},
		{"python_full_version == '3.11'", target, false},
		{"python_version == '3.11'", target, true},
		{"python_version == '3.11.0'", target, true},
		{"python_version >= '3.9' and python_version < '3.10'", target, false},
		{"python_version in '3.10 3.11'", target, true},
		{"python_version not in '3.10, 3.11'", target, false},
		{"'3.9' < python_full_version", target, true},
		{"'3.11.*' == python_version", target, false},
		{"python_version > 'x'", target, false},
		{"python_version != 'x'", target, true},
		{"sys_platform == 'linux' and platform_machine == 'x86_64'", target, true},
		{"platform_machine == 'aarch64' or platform_system == 'Windows'", target, false},
		{"'86' in platform_machine", target, true},
		{"platform_machine in '86'", target, false},
		{"os_name == 'nt' or os_name == 'posix' and os_name == 'nt'", target, false},
		// What uv decides.
		{"python_full_version >= '3.14'", candidate, true},
		{"python_full_version < '3.14'", candidate, false},
		{"'3.14.0' == python_full_version", candidate, true},
		{"python_full_version >= '3.15'", linux("3.15", "3.15.0a1+", "x86_64"), true},
		{"platform_release != '5.0'", target, true},
		{"platform_release < '5'", target, true},
		{"platform_machine > 'x86'", target, true},
		{"'x86' >= platform_machine", target, false},
		{"python_version === '3.11.0'", target, true},
		{"os_name ~= 'posix' and os_name == 'nt'", target, false},
		{"os_name ~= 'posix' or os_name == 'nt'", target, false},
		{"'posix' == 'os_name'", target, true},
		{"'a' in extras or 'a' in dependency_groups", target, false},
		{"'a' not in extras", target, true},
	} {
		m, err := ParseMarker(c.marker)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := m.Evaluate(c.env, nil); got != c.want {
			t.Errorf("%q on %s: %t", c.marker, c.env.PythonFullVersion, got)
		}
	}
	if !(Marker{}).Evaluate(Environment{}, nil) {
		t.Error("the zero Marker is false")
	}
}

func TestEvaluateExtras(t *testing.T) {
	for _, c := range []struct {
		marker, active string
		want           bool
	}{
		{"extra == 'cpu'", "cpu", true},
		{"extra == 'cpu'", "", false},
		{"extra == 'C.P_U'", "c-p-u", true},
		{"extra != 'cpu'", "", true},
		{"extra != 'cpu'", "gpu cpu", false},
		{"'cpu' != extra", "gpu", true},
		{"extra == 'cpu' and extra == 'gpu'", "cpu gpu", true},
		{"extra == ''", "", false},
		{"extra != ''", "", true},
		{"extra == 'extra-3-foo-gpu'", "extra-3-foo-gpu", true},
		{"extra == 'extra-3-foo-cpu' or extra != 'extra-3-foo-gpu'", "extra-3-foo-gpu", false},
		{"extra == 'extra-3-foo-cpu' or extra != 'extra-3-foo-gpu'", "", true},
		{"extra == 'extra-3-foo-bar' or (extra == 'group-3-foo-a' and extra == 'group-3-foo-b')", "group-3-foo-a", false},
		{"extra == 'extra-3-foo-bar' or (extra == 'group-3-foo-a' and extra == 'group-3-foo-b')", "group-3-foo-a group-3-foo-b", true},
	} {
		m, err := ParseMarker(c.marker)
		if err != nil {
			t.Error(err)
			continue
		}
		active := func(name string) bool {
			for a := range strings.FieldsSeq(c.active) {
				if a == name {
					return true
				}
			}
			return false
		}
		if got := m.Evaluate(Environment{}, active); got != c.want {
			t.Errorf("%q with extras %q: %t", c.marker, c.active, got)
		}
	}
}
