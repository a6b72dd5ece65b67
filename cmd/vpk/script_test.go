package main

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"vpk/internal/peer"
	"vpk/internal/sandbox"
	"vpk/internal/testwheel"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	testscript.Main(m, map[string]func(){"vpk": main})
}

// TestScripts runs the command as a user does: testdata/script/*.txtar, one behaviour each. Beside testscript's own
// commands there are
//
//	lock FILE [DIR]   makes the wheels that FILE lists, serves them, and writes DIR/uv.lock (see lockCommand)
//	exits N PROG ...  runs a program, which must fail with exit code N
//	registry          starts a registry and sets $REGISTRY
//	traced FILE STEP  fails unless FILE is a trace with these steps (see tracedCommand)
//	damage [-in CACHE] KIND...  flips a bit in an entry of each kind of the cache
//	age DAYS DIR...   makes entries look as if they were used that long ago, of kinds of the cache or of another one
//	state DIR FILE [NAME]  writes down names, modes, sizes, times and contents, but not the time of a directory NAME
//	copy FROM TO      copies a directory
//	unchanged DIR...  fails unless each directory is as empty, or as absent, as a failed command must leave it
//
// and the variable $BASE, a base image: a script that needs one begins with [!base] skip.
func TestScripts(t *testing.T) {
	base := peer.LookupBase(t, "BASE12")
	if base == "" {
		t.Log("NO BASE IMAGE: VPK_TEST_BASE12 is not set, scripts that pack are skipped")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("VPK_CACHE_DIR", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
			env.Setenv("BASE", "oci:"+base)
			env.Setenv("UV_HTTP_TIMEOUT", "2")
			return os.Mkdir(filepath.Join(env.WorkDir, ".home"), 0o755)
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "base":
				return base != "", nil
			case "root":
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("condition %q is unknown", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lock":      func(ts *testscript.TestScript, neg bool, args []string) { lockCommand(t, ts, args) },
			"registry":  func(ts *testscript.TestScript, neg bool, args []string) { registryCommand(t, ts) },
			"unchanged": unchangedCommand,
			"exits":     exitsCommand,
			"traced":    tracedCommand,
			"damage":    damageCommand,
			"age":       ageCommand,
			"state":     stateCommand,
			"copy":      copyCommand,
		},
	})
}

func registryCommand(t *testing.T, ts *testscript.TestScript) {
	s := httptest.NewServer(registry.New())
	t.Cleanup(s.Close)
	ts.Setenv("REGISTRY", strings.TrimPrefix(s.URL, "http://"))
}

func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		ts.Fatalf("%v succeeded", args[1:])
	case !errors.As(err, &exit):
		ts.Fatalf("%v: %v", args[1:], err)
	case strconv.Itoa(exit.ExitCode()) != args[0]:
		ts.Fatalf("%v: exit code %d, want %s", args[1:], exit.ExitCode(), args[0])
	}
}

// unchangedCommand checks that nothing was written: each argument must not exist, and the cache must hold no scratch files.
func unchangedCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, arg := range args {
		if entries, err := filepath.Glob(ts.MkAbs(arg) + "*"); err != nil || len(entries) > 0 {
			ts.Fatalf("%s was written: %v", arg, entries)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(ts.Getenv("VPK_CACHE_DIR"), "tmp")); len(left) > 0 {
		ts.Fatalf("scratch files are left in the cache: %v", left)
	}
}

// lockCommand reads lines of
//
//	NAME VERSION [KEY=VALUE...]
//
// The first is the project, the others are packages of a registry. Keys: deps (comma-separated), group:NAME and
// extra:NAME (dependencies in them), script (COMMAND=MODULE:FUNCTION), tags (of the wheel), file (PATH=TEXT), source (a TOML table in the place of the
// registry), requires-python (of the lock), fault (see spoil).
func lockCommand(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: lock FILE [DIR]")
	}
	dir := "."
	if len(args) == 2 {
		dir = args[1]
	}
	server := testwheel.NewServer(t)
	var out strings.Builder
	packages, python := "", ">=3.11"
	scanner := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for first := true; scanner.Scan(); {
		words := strings.Fields(scanner.Text())
		if len(words) < 2 {
			continue
		}
		p := parseLocked(ts, words)
		if p.python != "" {
			python = p.python
		}
		if first {
			p.source = `{ virtual = "." }`
		}
		packages += p.toml(server, first)
		first = false
	}
	fmt.Fprintf(&out, "version = 1\nrevision = 3\nrequires-python = %q\n%s", python, packages)
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(dir), "uv.lock"), []byte(out.String()), 0o644))
}

type locked struct {
	name, version, source, tags, fault, python string
	deps, scripts                              []string
	groups, extras                             map[string][]string
	files                                      [][2]string
}

func parseLocked(ts *testscript.TestScript, words []string) locked {
	p := locked{name: words[0], version: words[1], groups: map[string][]string{}, extras: map[string][]string{}}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		kind, name, _ := strings.Cut(key, ":")
		switch kind {
		case "deps":
			p.deps = strings.Split(value, ",")
		case "group":
			p.groups[name] = strings.Split(value, ",")
		case "extra":
			p.extras[name] = strings.Split(value, ",")
		case "script":
			p.scripts = append(p.scripts, value)
		case "tags":
			p.tags = value
		case "file":
			path, text, _ := strings.Cut(value, "=")
			p.files = append(p.files, [2]string{path, strings.NewReplacer(`\n`, "\n", `\s`, " ").Replace(text)})
		case "source":
			p.source = strings.NewReplacer(`\s`, " ").Replace(value)
		case "requires-python":
			p.python = value
		case "fault":
			p.fault = value
		default:
			ts.Fatalf("key %q is unknown", key)
		}
	}
	return p
}

func (p locked) toml(server *testwheel.Server, root bool) string {
	var b strings.Builder
	edges := func(names []string) string {
		var list []string
		for _, name := range names {
			name, marker, ok := strings.Cut(name, ";")
			if ok {
				marker = fmt.Sprintf(", marker = %q", strings.NewReplacer(`\s`, " ").Replace(marker))
			}
			list = append(list, fmt.Sprintf("{ name = %q%s }", name, marker))
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	table := func(name string, m map[string][]string) {
		if len(m) > 0 {
			fmt.Fprintf(&b, "\n[package.%s]\n", name)
			for _, key := range slices.Sorted(maps.Keys(m)) {
				fmt.Fprintf(&b, "%s = %s\n", key, edges(m[key]))
			}
		}
	}
	source := p.source
	if source == "" {
		source = `{ registry = "https://index.example/simple" }`
	}
	fmt.Fprintf(&b, "\n[[package]]\nname = %q\nversion = %q\nsource = %s\n", p.name, p.version, source)
	if len(p.deps) > 0 {
		fmt.Fprintf(&b, "dependencies = %s\n", edges(p.deps))
	}
	if p.source == "" {
		wheel := testwheel.New(p.name, p.version)
		if p.tags != "" {
			wheel.Tags(p.tags)
		}
		wheel.File(p.name+"/__init__.py", fmt.Sprintf("NAME = %q\n\n\ndef main():\n    print(NAME)\n", p.name))
		for _, f := range p.files {
			wheel.File(f[0], f[1])
		}
		for _, s := range p.scripts {
			command, ref, _ := strings.Cut(s, "=")
			wheel.EntryPoint(command, ref)
		}
		url, sum, size := p.spoil(server, wheel)
		fmt.Fprintf(&b, "wheels = [\n    { url = %q, hash = \"sha256:%s\", size = %s },\n]\n", url, sum, size)
	}
	table("optional-dependencies", p.extras)
	table("dev-dependencies", p.groups)
	if root {
		requires := slices.Clone(p.deps)
		for _, extra := range slices.Sorted(maps.Keys(p.extras)) {
			for _, name := range p.extras[extra] {
				requires = append(requires, fmt.Sprintf("%s;extra == '%s'", name, extra))
			}
		}
		fmt.Fprintf(&b, "\n[package.metadata]\nrequires-dist = %s\nprovides-extras = [%s]\n", edges(requires), quoted(p.extras))
		table("metadata.requires-dev", p.groups)
	}
	return b.String()
}

func quoted(m map[string][]string) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		names = append(names, strconv.Quote(name))
	}
	return strings.Join(names, ", ")
}

// spoil adds the wheel to the server, with a fault if it is to have one, and returns what the lock says of it.
func (p locked) spoil(server *testwheel.Server, wheel *testwheel.Builder) (url, sum, size string) {
	switch p.fault {
	case "no-record":
		wheel.NoRecord()
	case "dots":
		wheel.File("../../../etc/passwd", "x")
	case "absolute":
		wheel.File("/etc/passwd", "x")
	case "control":
		wheel.File("a\nb.py", "x")
	case "twice":
		wheel.File("twice.py", "1").File("twice.py", "2")
	case "bomb":
		wheel.Member(testwheel.Member{Name: "bomb.bin", Content: strings.Repeat("\x00", 1<<20), Size: testwheel.Claim(100)})
	case "entry-point-path":
		wheel.EntryPoint("../../evil", "a:b")
	case "entry-point-reserved":
		wheel.EntryPoint("python3", "a:b")
	}
	sum, size = wheel.SHA256(), wheel.Size()
	url = server.AddWheel(wheel)
	switch p.fault {
	case "hash":
		sum = strings.Repeat("0", 64)
	case "truncated":
		server.Spoil(wheel.Filename(), testwheel.Fault{Truncate: 100, NoRange: true})
	case "flaky":
		server.Spoil(wheel.Filename(), testwheel.Fault{Truncate: 100, Times: 2})
	case "stalled":
		server.Spoil(wheel.Filename(), testwheel.Fault{Stall: 100})
	case "missing":
		server.Spoil(wheel.Filename(), testwheel.Fault{Status: 404})
	}
	return url, sum, size
}
