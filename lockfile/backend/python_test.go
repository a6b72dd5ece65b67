package backend

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

// modules are sources of Python with what V is in them, as TestLiteralLikePython asks Python itself.
var modules = []string{
	"V = '1.0'",
	"V='1.0'",
	"V = \"1.0\"  # comment",
	"V: str = '1.0'",
	"V : Final[str] = '1.0'\n",
	"V: dict[str, str] = '1'",
	"W = V = U = '1.0'",
	"V = U = '1'\nV = '2'",
	"V = ('1.0')",
	"V = (\n    '1'  # one\n    '.2'\n)",
	"V = '1' '.0'",
	"V = '1' \\\n  '.0'",
	"V = r'1.0' u'x'",
	"V = '''1.0'''",
	"V = \"\"\"1\n2\"\"\"",
	"V = '\\'\\\\\\n'",
	"V = r'\\d'",
	"V = ''",
	"V = (1, 2, 'rc1')",
	"V = [1, 2, 3,]",
	"V = ('1',)",
	"V = 1, 2",
	"V = '1', '2'",
	"V = f'1'",
	"V = b'1'",
	"V = 1",
	"V = (1)",
	"V = [1]",
	"V = ()",
	"V = 1.0",
	"V = [0x1, 2]",
	"V = (1, 2.0)",
	"V = (1, -2)",
	"V = x",
	"V = x = '2'",
	"V = '1' + '2'",
	"V = '1'.strip()",
	"V = '1' if x else '2'",
	"V = ('1' + '2')",
	"V == '1'",
	"V += '1'",
	"V",
	"V: str",
	"VV = '1'",
	"a.V = '1'",
	"if x:\n    V = '1'",
	"try:\n  V = '1'\nexcept E:\n  V = '2'",
	"'''\nV = 'no'\n'''\nV = 'yes'",
	"x = '''\nV = 'no'\n'''\nV = 'yes'",
	"x = {\n'V':\n1\n}\nV = 'yes'",
	"x = f(\nV = 'no'\n)\nV = 'yes'",
	"x = 'it''s' # V = '\nV = 'yes'",
	"# '''\nV = 'yes'\n# '''",
	"x = \\\n1\nV = 'yes'",
	"\ufeffV = '1'",
	"def f():\n    '''\nV = 'no'\n    '''\nV = 'yes'",
	"class C:\n\n  V = 'no'\n\nV = 'yes'",
	"x = ')'\nV = 'yes'",
	"\"doc\"\nV='d'",
	"",
	"V = '1'; W = '2'",
	"V = ['1'](0)",
	"V = ('1', ['2'])",
	"V = *x, '1'",
}

// pythonAnswer is the value of the first assignment to V at the top of a module, as setuptools and flit-core read it: a
// string, or a tuple or list of strings and integers, joined by dots; null for none.
const pythonAnswer = `
import ast, json, sys
def value(text):
    for node in ast.parse(text.lstrip("\ufeff")).body:
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
        else:
            continue
        if node.value is None or not any(isinstance(t, ast.Name) and t.id == "V" for t in targets):
            continue
        try:
            v = ast.literal_eval(node.value)
        except ValueError:
            return None
        if isinstance(v, str):
            return v
        if isinstance(v, (tuple, list)) and v and all(isinstance(i, (str, int)) and not (isinstance(i, int) and i < 0) for i in v):
            return ".".join(map(str, v))
        return None
    return None
def doc(text):
    return ast.get_docstring(ast.parse(text.lstrip("\ufeff")), clean=False)
print(json.dumps([[value(t), doc(t)] for t in json.load(sys.stdin)]))
`

// differs are those of modules where less is read than Python knows: what versions are not written like.
var differs = map[string]string{
	"V = 1, 2":         "a tuple without parentheses",
	"V = '1', '2'":     "",
	"V = [0x1, 2]":     "a number that is not decimal",
	"V = '1' + '2'":    "",
	"V = '1'; W = '2'": "two statements on a line",
}

// TestLiteralLikePython compares with Python's own parser.
func TestLiteralLikePython(t *testing.T) {
	input, err := json.Marshal(modules)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), peer.Python(t), "-I", "-c", pythonAnswer)
	cmd.Stdin = strings.NewReader(string(input))
	var answers [][2]*string
	if err := json.Unmarshal([]byte(peer.Output(t, cmd)), &answers); err != nil {
		t.Fatal(err)
	}
	show := func(v string, ok bool) string {
		if !ok {
			return "nothing"
		}
		return strconv.Quote(v)
	}
	for i, text := range modules {
		p := strings.TrimPrefix(text, "\ufeff")
		got, want := show(literal(p, "V")), "nothing"
		if answers[i][0] != nil {
			want = show(*answers[i][0], true)
		}
		if _, less := differs[text]; got != want && !(less && got == "nothing") {
			t.Errorf("%q: got %s, Python has %s", text, got, want)
		}
		got, want = show(docstring(p)), "nothing"
		if answers[i][1] != nil {
			want = show(*answers[i][1], true)
		}
		if got != want {
			t.Errorf("docstring of %q: got %s, Python has %s", text, got, want)
		}
	}
}

// FuzzLiteral: what is assigned is read, whatever stands before it as a string, and no text is too odd.
func FuzzLiteral(f *testing.F) {
	for _, m := range modules {
		f.Add(m, "1.0")
	}
	plain := regexp.MustCompile(`^[ -~]*$`)
	f.Fuzz(func(t *testing.T, before, version string) {
		literal(before, "V")
		docstring(before)
		if !utf8.ValidString(before) || !plain.MatchString(version) {
			return
		}
		quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(version) + "'"
		text := "x = '''" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(before) + "'''\nV: str = " + quoted + " # " + strings.ReplaceAll(before, "\n", " ") + "\n"
		if got, ok := literal(text, "V"); !ok || got != version {
			t.Errorf("%q: got %q, %v", text, got, ok)
		}
	})
}

// configs are texts of setup.cfg.
var configs = []string{
	"[a]\nb = c\n", "[a]\nb: c = d\ne=f", "[a]\nb =\n  c\n  d\n\n  e\n\nf = g", "[a]\n# c\nb = 1 # no comment\n ; c\n  2\n",
	"[a]\nB = 1\nb = 2", "[a]\nb = 1\nb = 2", "[a]\n[a]", "b = 1", "[a]\nb\n", "[a]\n = 1", "[a] x\nb=1", "[a]b]\nc=1", "[]\nx=1",
	"[a]\n  b = 1\n  c = 2\n", "[a]\nb = 1\n [c]\nd = 2", "[a]\nb = 1\n\n\n", "", "\n\n[a]\n\nb=", "[a]\nb = 1\n\tc\n", "[a]\nb = %(x)s", "[DEFAULT]\nx = 1\n[a]\ny = 2",
	"[a]\nb = 1\r\n", "[a]\nb=\n\n  x\n# y\n  z",
}

const pythonINI = `
import configparser, json, sys
def read(text):
    c = configparser.RawConfigParser(default_section="\0none")
    c.optionxform = str
    try:
        c.read_string(text)
    except configparser.Error:
        return None
    return {s: dict(c.items(s)) for s in c.sections()}
print(json.dumps([read(t) for t in json.load(sys.stdin)]))
`

// TestINILikePython compares with Python's RawConfigParser.
func TestINILikePython(t *testing.T) {
	input, err := json.Marshal(configs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), peer.Python(t), "-I", "-c", pythonINI)
	cmd.Stdin = strings.NewReader(string(input))
	var answers []ini
	if err := json.Unmarshal([]byte(peer.Output(t, cmd)), &answers); err != nil {
		t.Fatal(err)
	}
	for i, text := range configs {
		got, err := parseINI(text)
		if (err != nil) != (answers[i] == nil) {
			t.Errorf("%q: got %v, Python has %v", text, err, answers[i])
		} else if diff := cmp.Diff(answers[i], got); diff != "" && err == nil {
			t.Errorf("%q (-python +go)\n%s", text, diff)
		}
	}
}

// FuzzINI: what is read, written again and read again is the same.
func FuzzINI(f *testing.F) {
	for _, c := range configs {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := parseINI(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for section, keys := range first {
			b.WriteString("[" + section + "]\n")
			for key, value := range keys {
				if strings.HasPrefix(key, "[") || strings.ContainsAny(key+value, "\r\v\f\u0085\u00a0") {
					return // not written like that
				}
				b.WriteString(key + " = " + strings.ReplaceAll(value, "\n", "\n  ") + "\n")
			}
		}
		second, err := parseINI(b.String())
		if err != nil {
			t.Fatalf("%q from %q: %v", b.String(), text, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%q, %q (-first +second)\n%s", text, b.String(), diff)
		}
	})
}
