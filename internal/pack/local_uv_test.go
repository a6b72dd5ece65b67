package pack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vpk/internal/config"
	"vpk/internal/peer"
	"vpk/internal/progress"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// localProbe prints what an interpreter knows of some packages and modules, and what programs print.
const localProbe = `
import importlib, importlib.metadata, json, os, subprocess, sys
asked = json.loads(sys.argv[1])
out = {"packages": {}, "modules": {}, "programs": {}}
for d in importlib.metadata.distributions():
    if d.metadata["Name"].lower().replace("_", "-").replace(".", "-") in asked["not"]:
        continue
    out["packages"][d.metadata["Name"]] = {
        "version": d.version,
        "requires": d.requires or [],
        "entry points": sorted([e.group, e.name, e.value] for e in d.entry_points),
        "fields": [[k, v] for k, v in d.metadata.items()],
        "description": (d.metadata.get_payload() or d.metadata.get("Description") or "").strip(),
    }
for name in asked["modules"]:
    m = importlib.import_module(name)
    out["modules"][name] = sorted(n for n in vars(m) if not n.startswith("__"))
for name in asked["programs"]:
    out["programs"][name] = subprocess.run([os.path.join(sys.prefix, "bin", name)], capture_output=True, text=True, check=True).stdout
print(json.dumps(out))
`

// probed is what localProbe prints.
type probed struct {
	Packages map[string]*struct {
		Version     string
		Requires    []string
		EntryPoints [][3]string `json:"entry points"`
		Fields      [][2]string
		Description string
	}
	Modules  map[string][]string
	Programs map[string]string
}

// registryPackages are those that the projects require; they are not what is compared.
var registryPackages = []string{"idna", "sniffio", "typing-extensions"}

// TestLocalLikeUV installs projects with uv, which has their build backends build them, and with vpk, which reads them, and
// compares what an interpreter makes of the two environments.
func TestLocalLikeUV(t *testing.T) {
	uv, python := peer.UV(t), peer.Python(t)
	files, err := filepath.Glob("testdata/local/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d projects, %v", len(files), err)
	}
	cache := peer.CacheDir(t.TempDir())
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := readLocalCase(t, archive)
		if !c.sample && !peer.InFull() {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			dir, venvs := t.TempDir(), t.TempDir()
			writeArchive(t, archive, dir)
			in := filepath.Join(dir, c.in)
			command := func(args ...string) {
				cmd := exec.CommandContext(t.Context(), uv, args...)
				cmd.Dir = in
				cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+filepath.Join(cache, "uv-local"), "UV_PROJECT_ENVIRONMENT="+filepath.Join(venvs, "uv"), "UV_PYTHON_DOWNLOADS=never")
				cmd.Env = append(cmd.Env, c.env...)
				peer.Output(t, cmd)
			}
			command("lock", "--quiet", "--python", python)
			command("sync", "--quiet", "--locked", "--no-dev", "--python", python)
			ours := filepath.Join(venvs, "vpk")
			venvOf(t, in, ours, filepath.Join(cache, "vpk-local"), python, c.env)
			got, want := c.probe(t, ours), c.probe(t, filepath.Join(venvs, "uv"))
			if len(want.packages) == 0 {
				t.Error("uv installed nothing to compare")
			}
			for name, w := range want.packages {
				if g, ok := got.packages[name]; ok {
					w.deliberate(g, archive)
				}
			}
			if diff := cmp.Diff(want.rows(), got.rows()); diff != "" {
				t.Errorf("(-uv +vpk)\n%s", diff)
			}
		})
	}
}

// localCase is what the comment of an archive says.
type localCase struct {
	in                string
	modules, programs []string
	env               []string
	sample            bool
}

func readLocalCase(t *testing.T, a *txtar.Archive) localCase {
	t.Helper()
	c := localCase{in: ".", programs: []string{}}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "in":
			c.in = value
		case "import":
			c.modules = strings.Fields(value)
		case "run":
			c.programs = strings.Fields(value)
		case "env":
			c.env = append(c.env, value)
		case "sample":
			c.sample = true
		}
	}
	if len(c.modules) == 0 {
		t.Fatal("the case imports nothing")
	}
	return c
}

func writeArchive(t *testing.T, a *txtar.Archive, dir string) {
	t.Helper()
	for _, f := range a.Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// venvOf writes the environment of the project in a directory.
func venvOf(t *testing.T, project, dir, cache, python string, environ []string) {
	t.Helper()
	env, err := config.ReadEnvironment(append(os.Environ(), environ...), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadProject(project, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Configure(env); err != nil {
		t.Fatal(err)
	}
	sources, err := OpenSources(t.Context(), SourceOptions{CacheDir: cache, Reporter: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer sources.Close()
	selection := Selection{}
	selection.Packages = p.Packages
	if _, err := Venv(t.Context(), sources, VenvOptions{Project: p, Selection: selection, Dir: dir, Python: python}); err != nil {
		t.Fatal(err)
	}
}

// facts are what was probed, in a form that compares.
type facts struct {
	packages map[string]*packageFacts
	rest     []string
}

type packageFacts struct {
	lines []string
}

func (c localCase) probe(t *testing.T, venv string) facts {
	t.Helper()
	asked, err := json.Marshal(map[string]any{"not": registryPackages, "modules": c.modules, "programs": c.programs})
	if err != nil {
		t.Fatal(err)
	}
	// Not with -I: it is to be as in an image.
	cmd := exec.CommandContext(t.Context(), filepath.Join(venv, "bin", "python"), "-c", localProbe, string(asked))
	cmd.Dir = t.TempDir()
	var p probed
	if err := json.Unmarshal([]byte(peer.Output(t, cmd)), &p); err != nil {
		t.Fatal(err)
	}
	e := facts{packages: map[string]*packageFacts{}}
	for name, d := range p.Packages {
		lines := []string{"version " + d.Version, "description " + strings.ReplaceAll(d.Description, "\r\n", "\n")}
		for _, r := range d.Requires {
			lines = append(lines, "requires "+normalRequirement(t, r))
		}
		for _, point := range d.EntryPoints {
			lines = append(lines, fmt.Sprintf("entry point %q", point))
		}
		for _, f := range d.Fields {
			lines = append(lines, normalField(t, f[0], f[1])...)
		}
		slices.Sort(lines)
		e.packages[pep508.NormalizeName(name)] = &packageFacts{slices.Compact(lines)}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Modules)) {
		e.rest = append(e.rest, fmt.Sprintf("module %s %q", name, p.Modules[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Programs)) {
		e.rest = append(e.rest, fmt.Sprintf("program %s %q", name, p.Programs[name]))
	}
	return e
}

func (e facts) rows() []string {
	rows := slices.Clone(e.rest)
	for _, name := range slices.Sorted(maps.Keys(e.packages)) {
		for _, line := range e.packages[name].lines {
			rows = append(rows, name+": "+line)
		}
	}
	return rows
}

// normalRequirement is a requirement in normal form, its specifiers sorted.
func normalRequirement(t *testing.T, text string) string {
	t.Helper()
	r, err := pep508.ParseRequirement(text)
	if err != nil {
		t.Fatal(err)
	}
	r.Specifiers = sortedSpecifiers(r.Specifiers)
	return strings.ReplaceAll(r.String(), "python_full_version", "python_version") // uv_build writes the first where it can
}

func sortedSpecifiers(s pep440.Specifiers) pep440.Specifiers {
	return slices.SortedFunc(slices.Values(s), func(a, b pep440.Specifier) int { return strings.Compare(a.String(), b.String()) })
}

// normalField is a field of METADATA, one line for each of its values.
func normalField(t *testing.T, name, value string) []string {
	t.Helper()
	var lines []string
	name = strings.ToLower(name)
	add := func(v string) { lines = append(lines, name+" "+v) }
	switch name {
	case "metadata-version", "dynamic", "platform", "import-name", "import-namespace", "license-file", "description":
	case "name", "provides-extra":
		add(pep508.NormalizeName(value))
	case "keywords":
		for word := range strings.SplitSeq(value, ",") {
			add(strings.TrimSpace(word))
		}
	case "author", "author-email", "maintainer", "maintainer-email":
		for who := range strings.SplitSeq(value, ", ") {
			add(strings.ReplaceAll(who, `"`, ""))
		}
	case "requires-python":
		s, err := pep440.ParseSpecifiers(value)
		if err != nil {
			t.Fatal(err)
		}
		add(sortedSpecifiers(s).String())
	case "requires-dist":
		add(normalRequirement(t, value))
	default:
		add(strings.Join(strings.Fields(value), " "))
	}
	return lines
}

// deliberate takes away what differs from what a backend writes on purpose; see package backend.
func (want *packageFacts) deliberate(got *packageFacts, a *txtar.Archive) {
	text := string(txtar.Format(a))
	drop := func(prefixes ...string) {
		for _, c := range []*packageFacts{want, got} {
			c.lines = slices.DeleteFunc(c.lines, func(line string) bool {
				return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
			})
		}
	}
	switch {
	case strings.Contains(text, "poetry-core"):
		drop("author", "maintainer", "home-page", "project-url", "classifier", "license")
	case strings.Contains(text, "uv_build"):
		drop("author ", "maintainer ")
	case strings.Contains(text, "[options]"):
		drop("author", "home-page", "project-url")
	}
}
