package pack

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

func TestChosenModules(t *testing.T) {
	const site = "app/.venv/lib/python3.11/site-packages"
	part := tree.Part{Name: "wheel/a-1", Key: "key"}
	for _, name := range []string{"a/__init__.py", "a/data.txt", "a/tests/b.py", "a/tests/c/d.py", "b.py", "tests.py"} {
		part.Entries = append(part.Entries, tree.Entry{Path: site + "/" + name})
	}
	for _, test := range []struct {
		include, exclude []string
		want             string
		left             int
	}{
		{nil, nil, "a/__init__.py a/data.txt a/tests/b.py a/tests/c/d.py b.py tests.py", 0},
		{nil, []string{"a/tests"}, "a/__init__.py a/data.txt b.py tests.py", 2},
		{nil, []string{"**/tests", "!a/tests/c"}, "a/__init__.py a/data.txt a/tests/c/d.py b.py tests.py", 1},
		{[]string{"a"}, nil, "a/__init__.py a/data.txt a/tests/b.py a/tests/c/d.py", 2},
		{[]string{"a", "b.py"}, []string{"**/d.py", "*.txt"}, "a/__init__.py a/data.txt a/tests/b.py b.py", 2},
		{[]string{"nothing"}, nil, "", 5},
	} {
		o, err := newBytecodeOptions(config.Bytecode{Include: test.include, Exclude: test.exclude})
		if err != nil {
			t.Fatal(err)
		}
		chosen, left, err := o.choose(part, site)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range chosen.Entries {
			got = append(got, strings.TrimPrefix(e.Path, site+"/"))
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" || left != test.left {
			t.Errorf("include %q, exclude %q: %d left, want %d\n%s", test.include, test.exclude, left, test.left, diff)
		}
	}
	if _, err := newBytecodeOptions(config.Bytecode{Exclude: []string{"ok", "![a"}}); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), `"![a"`) {
		t.Errorf("err = %v", err)
	}
}

func TestBytecodeIsWanted(t *testing.T) {
	no, yes := false, true
	supported, unsupported := tag.Python{Major: 3, Minor: 13}, tag.Python{Major: 3, Minor: 8}
	for _, test := range []struct {
		flag    bool
		enabled *bool
		python  tag.Python
		want    bool
		err     string
	}{
		{true, nil, supported, true, ""},
		{true, &yes, supported, true, ""},
		{true, &no, supported, false, ""},
		{false, &yes, supported, false, ""},
		{false, nil, unsupported, false, ""},
		{true, &no, unsupported, false, ""},
		{true, nil, unsupported, true, "no bytecode can be made for CPython 3.8"},
	} {
		o := Options{Bytecode: test.flag, Project: &Project{Config: config.File{Bytecode: config.Bytecode{Enabled: test.enabled}}}}
		options, err := o.bytecode(test.python)
		if (options != nil) != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%+v: %v, %v", test, options, err)
		}
	}
}

// The interpreter of an image runs at the level of its bytecode, unless the project says otherwise.
func TestOptimizedEnvironment(t *testing.T) {
	for _, test := range []struct {
		optimize  int
		own, want map[string]string
	}{
		{0, map[string]string{"A": "b"}, map[string]string{"A": "b"}},
		{2, map[string]string{"A": "b"}, map[string]string{"A": "b", "PYTHONOPTIMIZE": "2"}},
		{2, map[string]string{"PYTHONOPTIMIZE": ""}, map[string]string{"PYTHONOPTIMIZE": ""}},
	} {
		o := bytecodeOptions{config.Bytecode{Optimize: test.optimize}}
		if diff := cmp.Diff(test.want, o.environment(test.own)); diff != "" {
			t.Error(diff)
		}
	}
}
