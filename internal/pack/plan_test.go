package pack

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
)

// troubled is a project with two packages that claim one path, one whose hash is weak, one of an index without hashes, and a
// tree: app → a → shared, app[fast] → b → shared, app:dev → weak.
func troubled(t *testing.T, more string) *Project {
	t.Helper()
	dir := t.TempDir()
	wheel := func(name string) *testwheel.Builder {
		return testwheel.New(name, "1.0").File(name+".py", "").File("both.py", "# "+name)
	}
	lock := `version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "a" }` + more + `]
[package.optional-dependencies]
fast = [{ name = "b", extra = ["more"] }]
[package.dev-dependencies]
dev = [{ name = "weak" }]
[package.metadata]
provides-extras = ["fast"]
[package.metadata.requires-dev]
dev = [{ name = "weak" }]

[[package]]
name = "bare"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://index.example/bare-1.0-py3-none-any.whl", size = 104857601 }]
`
	for _, name := range []string{"a", "b", "shared", "weak"} {
		w := wheel(name)
		w.Write(t, filepath.Join(dir))
		hash := "sha256:" + w.SHA256()
		if name == "weak" {
			hash = fmt.Sprintf("md5:%x", md5.Sum(w.Bytes()))
		}
		dependencies := ""
		if name == "a" || name == "b" {
			dependencies = "dependencies = [{ name = \"shared\" }]\n"
		}
		if name == "b" {
			dependencies += "[package.optional-dependencies]\nmore = [{ name = \"shared\" }]\n"
		}
		lock += fmt.Sprintf("\n[[package]]\nname = %q\nversion = \"1.0\"\nsource = { path = \"%s-1.0-py3-none-any.whl\" }\nwheels = [{ filename = \"%[2]s-1.0-py3-none-any.whl\", hash = %q }]\n%s",
			name, name, hash, dependencies)
	}
	for name, text := range map[string]string{"uv.lock": lock, "pyproject.toml": "[project]\nname = \"app\"\nversion = \"0\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func chosen(t *testing.T, s *Sources, p *Project, selection Selection) *Choice {
	t.Helper()
	selection.Frozen = true
	c, err := Choose(t.Context(), s, p, selection, debian12)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fill brings the wheels of a selection into the cache.
func fill(t *testing.T, s *Sources, p *Project, selection Selection) {
	t.Helper()
	for _, ref := range p.refs(chosen(t, nil, p, selection).selection) {
		w, err := s.wheels.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
	}
}

// TestPlanWarnings wants a warning for each trouble, and one of collisions only where all wheels can be read.
func TestPlanWarnings(t *testing.T) {
	p := troubled(t, "")
	s := sources(t, t.TempDir())
	selection := Selection{}
	selection.AllExtras, selection.Dev = true, true
	warnings := func(p *Project) []string {
		plan, err := chosen(t, s, p, selection).Plan()
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{}
		for _, w := range plan.Warnings {
			if w.Hint == "" {
				t.Errorf("%s: no hint", w.Message)
			}
			texts = append(texts, fmt.Sprintf("%s %v %s", w.Kind, w.Packages, w.Message))
		}
		return texts
	}
	weak := "weak-hash [weak] the lock has only an MD5 hash of these wheels: weak 1.0"
	if diff := cmp.Diff([]string{weak}, warnings(p)); diff != "" {
		t.Error(diff)
	}
	fill(t, s, p, selection)
	collision := func(owner, loser, outcome string) string {
		names := []string{owner, loser}
		if loser < owner {
			names = []string{loser, owner}
		}
		return fmt.Sprintf("collision %v %s 1.0 and %s 1.0 bring different files for app/.venv/lib/python3.11/site-packages/both.py: %s",
			names, owner, loser, outcome)
	}
	const theirs = "the image has those of weak 1.0"
	want := []string{collision("weak", "a", theirs), collision("weak", "b", theirs), collision("weak", "shared", theirs), weak}
	if diff := cmp.Diff(want, warnings(p)); diff != "" {
		t.Error(diff)
	}
	p.Config.Collisions = "error"
	if got := warnings(p); !strings.HasSuffix(got[0], "vpk pack refuses it") {
		t.Errorf("got %q", got[0])
	}
	// A wheel that is not in the cache: nothing is known of collisions.
	large := troubled(t, `, { name = "bare" }`)
	want = []string{
		"large [bare] large wheels: bare 1.0 (104.9 MB)",
		"no-hash [bare] the lock has no hash of these wheels, and they will be refused: bare 1.0", weak,
	}
	if diff := cmp.Diff(want, warnings(large)); diff != "" {
		t.Error(diff)
	}
}

// TestTree wants the graph in both directions, its sizes, and only what is asked for.
func TestTree(t *testing.T) {
	p := troubled(t, "")
	s := sources(t, t.TempDir())
	selection := Selection{}
	selection.AllExtras, selection.Dev = true, true
	fill(t, s, p, selection)
	c := chosen(t, s, p, selection)
	plan, err := c.Plan()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]int64{}
	for _, p := range plan.Packages {
		own[p.Name] = p.Size
	}
	for name, tt := range map[string]struct {
		view  TreeView
		roots string
		want  []string // NAME: requires; required by
		sizes map[string]int64
	}{
		"whole": {TreeView{}, "app", []string{
			"app: a b[more]/fast weak:dev <", "a: shared < app", "b: shared shared/more < app[more]/fast", "shared: < a b b/more", "weak: < app:dev",
		}, map[string]int64{"app": plan.Size, "a": own["a"] + own["shared"], "shared": own["shared"]}},
		"one":      {TreeView{Packages: []string{"B"}}, "b", []string{"b: shared shared/more <", "shared: < b b/more"}, nil},
		"why":      {TreeView{Packages: []string{"b"}, Invert: true}, "b", []string{"app: b[more]/fast <", "b: < app[more]/fast"}, map[string]int64{"b": own["b"] + own["shared"]}},
		"inverted": {TreeView{Invert: true}, "shared weak", nil, nil},
		"pruned":   {TreeView{Prune: []string{"b", "weak"}}, "app", []string{"app: a <", "a: shared < app", "shared: < a"}, map[string]int64{"app": own["a"] + own["shared"]}},
		"no root":  {TreeView{Prune: []string{"app"}}, "", []string{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := c.Tree(tt.view)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(tree.Roots, " "); got != tt.roots {
				t.Errorf("roots %q, want %q", got, tt.roots)
			}
			lines := map[string]bool{}
			for _, p := range tree.Packages {
				lines[strings.Join(strings.Fields(p.Name+": "+edgeText(p.Requires)+" < "+edgeText(p.RequiredBy)), " ")] = true
				if want, ok := tt.sizes[p.Name]; ok && p.TotalSize != want {
					t.Errorf("%s: %d bytes in all, want %d", p.Name, p.TotalSize, want)
				}
				if p.Installed != (p.Name != "app") || p.Installed && (!p.Cached || p.InstalledSize == 0) {
					t.Errorf("%s: %+v", p.Name, p)
				}
			}
			want := map[string]bool{}
			for _, line := range tt.want {
				want[line] = true
			}
			if diff := cmp.Diff(want, lines); tt.want != nil && diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, want := range map[string]string{"shard": `did you mean "shared"?`, "bare": "", "zzz": ""} {
		_, err := c.Tree(TreeView{Packages: []string{name}})
		if fault.KindOf(err) != fault.Usage || strings.Join(fault.Hints(err), "") != want {
			t.Errorf("%s: %v, hints %q", name, err, fault.Hints(err))
		}
	}
}

func edgeText(edges []TreeEdge) string {
	var texts []string
	for _, e := range edges {
		text := e.Name
		if len(e.Extras) > 0 {
			text += fmt.Sprintf("%v", e.Extras)
		}
		if e.Extra != "" {
			text += "/" + e.Extra
		}
		if e.Group != "" {
			text += ":" + e.Group
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// TestTreeOfCycle inverts a graph at whose bottom there is only a cycle.
func TestTreeOfCycle(t *testing.T) {
	dir := t.TempDir()
	lock := "version = 1\nrequires-python = \">=3.11\"\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"y\" }]\n"
	for name, to := range map[string]string{"x": "y", "y": "x"} {
		lock += fmt.Sprintf("[[package]]\nname = %q\nversion = \"1\"\nsource = { registry = \"https://index.example/simple\" }\ndependencies = [{ name = %q }]\n", name, to) +
			fmt.Sprintf("wheels = [{ url = \"https://index.example/%s-1-py3-none-any.whl\" }]\n", name)
	}
	for name, text := range map[string]string{"uv.lock": lock, "pyproject.toml": "[project]\nname = \"app\"\nversion = \"0\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := chosen(t, nil, p, Selection{}).Tree(TreeView{Invert: true})
	if err != nil || strings.Join(tree.Roots, " ") != "x" {
		t.Errorf("roots %q, %v", tree.Roots, err)
	}
}
