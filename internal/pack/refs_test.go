package pack

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
)

// placesProject is a project with a wheel from each place: an index, a URL, a path above it, a directory of wheels.
func placesProject(t *testing.T) (*Project, *testwheel.Server) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "app")
	server := testwheel.NewServer(t)
	wheel := func(name string) *testwheel.Builder { return testwheel.New(name, "1.0").File(name+".py", "") }
	for _, d := range []string{dir, filepath.Join(top, "links"), filepath.Join(dir, "vendor")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wheel("flat").Write(t, filepath.Join(top, "links"))
	wheel("path").Write(t, filepath.Join(dir, "vendor"))
	direct := strings.Replace(server.AddWheel(wheel("direct")), "http://", "http://user:secret@", 1)
	lock := fmt.Sprintf(`version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "direct" }, { name = "flat" }, { name = "path" }]

[[package]]
name = "direct"
version = "1.0"
source = { url = %q }
wheels = [{ url = %q, hash = "sha256:%s" }]

[[package]]
name = "flat"
version = "1.0"
source = { registry = "../links" }
wheels = [{ path = "flat-1.0-py3-none-any.whl" }]

[[package]]
name = "path"
version = "1.0"
source = { path = "vendor/path-1.0-py3-none-any.whl" }
wheels = [{ filename = "path-1.0-py3-none-any.whl", hash = "sha256:%s" }]
`, direct, direct, wheel("direct").SHA256(), wheel("path").SHA256())
	for name, text := range map[string]string{
		"uv.lock": lock, "pyproject.toml": "[project]\nname = \"app\"\nversion = \"0\"\nrequires-python = \">=3.11\"\ndependencies = [\"direct\", \"flat\", \"path\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return p, server
}

// TestWheelsOfAllPlaces packs wheels that no index serves: hashes are checked where there are any, else told.
func TestWheelsOfAllPlaces(t *testing.T) {
	p, server := placesProject(t)
	options := Options{Project: p, Base: fakeBase(t), Arch: "amd64", Selection: Selection{Frozen: true}}
	cache := t.TempDir()
	img, err := build(t.Context(), sources(t, cache), options, newClock())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = img.close() }()
	report := img.report()
	flat, err := os.ReadFile(filepath.Join(p.Dir, "../links/flat-1.0-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	flatHash := fmt.Sprintf("sha256:%x", sha256.Sum256(flat))
	type row struct {
		Name, Path string
		Unlocked   bool
		FlatHash   bool
		Sized      bool
	}
	var rows []row
	for _, pkg := range report.Packages {
		rows = append(rows, row{pkg.Name, pkg.Path, pkg.Unlocked, pkg.Hashes[0] == flatHash, pkg.Size > 0})
		if strings.Contains(pkg.URL, "secret") {
			t.Errorf("%s: the report has a password", pkg.Name)
		}
	}
	want := []row{
		{"direct", "", false, false, true}, {"flat", "../links/flat-1.0-py3-none-any.whl", true, true, true},
		{"path", "vendor/path-1.0-py3-none-any.whl", false, false, true},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	// Only a URL is an origin to remember, and without its password.
	origins := map[string]string{}
	for _, part := range img.tree.Parts {
		for _, e := range part.Entries {
			if filepath.Base(e.Path) == "direct_url.json" {
				origins[part.Name] = contentText(t, e.Content)
			}
		}
	}
	wantOrigins := map[string]string{
		"wheel/direct-1.0": fmt.Sprintf(`{"url":%q,"archive_info":{}}`, server.URL+"/files/direct-1.0-py3-none-any.whl"),
	}
	if diff := cmp.Diff(wantOrigins, origins); diff != "" {
		t.Error(diff)
	}
}

func TestRequireHashes(t *testing.T) {
	p, _ := placesProject(t)
	options := Options{Project: p, Base: fakeBase(t), Arch: "amd64", Selection: Selection{Frozen: true, RequireHashes: true}}
	_, err := build(t.Context(), sources(t, t.TempDir()), options, newClock())
	if fault.KindOf(err) != fault.Integrity || !strings.HasSuffix(err.Error(), "wheels:\n  flat 1.0: flat-1.0-py3-none-any.whl") {
		t.Errorf("got %v", err)
	}
	if _, err := Choose(t.Context(), nil, p, options.Selection, debian12); fault.KindOf(err) != fault.Integrity {
		t.Errorf("plan: %v", err)
	}
	choice, err := Choose(t.Context(), nil, p, Selection{Frozen: true}, debian12)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := choice.Plan()
	if err != nil || len(plan.Packages) != 3 || len(plan.Packages[1].Hashes) != 0 || plan.Packages[1].Size != 0 {
		t.Errorf("plan: %+v, %v", plan, err)
	}
}

// TestLocalWheelThatChanged is refused where the lock has its hash, and where it is gone.
func TestLocalWheelThatChanged(t *testing.T) {
	p, _ := placesProject(t)
	options := Options{Project: p, Base: fakeBase(t), Arch: "amd64", Selection: Selection{Frozen: true}}
	name := filepath.Join(p.Dir, "vendor/path-1.0-py3-none-any.whl")
	if err := os.WriteFile(name, testwheel.New("path", "1.0").File("other.py", "").Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := build(t.Context(), sources(t, t.TempDir()), options, newClock()); fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), "path-1.0") {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := build(t.Context(), sources(t, t.TempDir()), options, newClock()); fault.KindOf(err) != fault.Package || !strings.Contains(err.Error(), "path-1.0") {
		t.Errorf("removed: %v", err)
	}
}

// TestDefaultGroupsOfMember: they are those of the member that is packed, but with --frozen the root's.
func TestDefaultGroupsOfMember(t *testing.T) {
	dir := t.TempDir()
	member := "[project]\nname = \"member\"\nversion = \"0\"\nrequires-python = \">=3.11\"\n[dependency-groups]\nops = [\"tool\"]\n[tool.uv]\npackage = false\ndefault-groups = [\"ops\"]\n"
	files := map[string]string{
		"pyproject.toml":        "[project]\nname = \"app\"\nversion = \"0\"\nrequires-python = \">=3.11\"\n[tool.uv]\npackage = false\n[tool.uv.workspace]\nmembers = [\"member\"]\n",
		"member/pyproject.toml": member,
		"uv.lock": `version = 1
revision = 3
requires-python = ">=3.11"
[manifest]
members = ["app", "member"]
[[package]]
name = "app"
version = "0"
source = { virtual = "." }
[[package]]
name = "member"
version = "0"
source = { virtual = "member" }
[package.dev-dependencies]
ops = [{ name = "tool" }]
[package.metadata.requires-dev]
ops = [{ name = "tool" }]
[[package]]
name = "tool"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://index.example/tool-1.0-py3-none-any.whl" }]
`,
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		frozen   bool
		packages []string
		want     int
	}{
		"member":         {false, []string{"Member"}, 1},
		"member, frozen": {true, []string{"member"}, 0},
		"root":           {false, nil, 0},
		"both":           {false, []string{"app", "member"}, 0},
	} {
		p, err := ReadProject(dir, c.packages, false)
		if err != nil {
			t.Fatal(err)
		}
		s := Selection{Frozen: c.frozen}
		s.Packages = c.packages
		selection, err := p.choose(s, debian12)
		if err != nil || len(selection.Packages) != c.want {
			t.Errorf("%s: %+v, %v", name, selection, err)
		}
	}
}

func contentText(t *testing.T, c tree.Content) string {
	t.Helper()
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
