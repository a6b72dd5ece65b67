package lockfile_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

const index = "https://index.example/simple"

// scenario is a project with its lock and what is selected from it, a file of testdata/select. The comment of the file has
// a line for each selection: TARGET [FLAGS]: PACKAGES, or "error" and what kind.
type scenario struct {
	dir     string
	lock    *lockfile.Lock
	project *pyproject.Project
	cases   []selectCase
}

type selectCase struct {
	target tag.Target
	member string // the directory of the member that is stood in, "" for the root's
	flags  []string
	want   string // "name version, …" or "error KIND"
}

var targetLine = regexp.MustCompile(`^(3\.\d+) (x86_64|aarch64)([^:]*):(.*)$`)

func loadScenario(t testing.TB, path string) *scenario {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{dir: t.TempDir()}
	for _, f := range archive.Files {
		if f.Name == "uv.lock" {
			f.Data = []byte(expandLock(string(f.Data)))
		}
		name := filepath.Join(s.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		switch f.Name {
		case "uv.lock":
			if s.lock, err = lockfile.Parse(f.Data, f.Name); err != nil {
				t.Fatal(err)
			}
		case "pyproject.toml":
			if s.project, err = pyproject.Read(f.Data, f.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		m := targetLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		s.cases = append(s.cases, selectCase{
			target: testTarget(m[1], tag.Arch(m[2])), flags: strings.Fields(m[3]), want: strings.TrimSpace(m[4]),
		})
	}
	if len(s.cases) == 0 {
		t.Fatalf("%s has no cases", path)
	}
	return s
}

func testTarget(python string, arch tag.Arch) tag.Target {
	p, err := tag.ParsePython(python)
	if err != nil {
		panic(err)
	}
	return tag.Target{Python: p, Arch: arch, Glibc: tag.Glibc{Major: 2, Minor: 36}}
}

// expandLock writes out the short forms of packages: "@name virtual" and "@name version [TAGS…]", the latter a package
// from an index with a wheel for each set of tags, py3-none-any if there is none.
func expandLock(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "@") {
			out.WriteString(line)
			continue
		}
		name, version, tags := fields[0][1:], fields[1], fields[2:]
		fmt.Fprintf(&out, "\n[[package]]\nname = %q\n", name)
		if version == "virtual" {
			out.WriteString("version = \"1.0\"\nsource = { virtual = \".\" }\n")
			continue
		}
		fmt.Fprintf(&out, "version = %q\nsource = { registry = %q }\nwheels = [\n", version, index)
		if len(tags) == 0 {
			tags = []string{"py3-none-any"}
		}
		for _, tag := range tags {
			file := fmt.Sprintf("%s-%s-%s.whl", strings.ReplaceAll(name, "-", "_"), version, tag)
			fmt.Fprintf(&out, "    { url = \"https://index.example/files/%s\", hash = \"sha256:%x\", size = 1000 },\n",
				file, sha256.Sum256([]byte(file)))
		}
		out.WriteString("]\n")
	}
	return out.String()
}

// request reads uv's flags.
func request(t testing.TB, flags []string, defaults pyproject.DefaultGroups) lockfile.Request {
	t.Helper()
	r := lockfile.Request{DefaultGroups: defaults}
	switches := map[string]*bool{
		"--all-extras": &r.AllExtras, "--all-groups": &r.AllGroups, "--no-default-groups": &r.NoDefaultGroups,
		"--dev": &r.Dev, "--only-dev": &r.OnlyDev, "--no-dev": &r.NoDev, "--all-packages": &r.AllPackages,
		"--no-install-project": &r.NoInstallProject, "--no-install-workspace": &r.NoInstallWorkspace, "--no-install-local": &r.NoInstallLocal,
	}
	lists := map[string]*[]string{
		"--extra": &r.Extras, "--no-extra": &r.NoExtras, "--group": &r.Groups, "--only-group": &r.OnlyGroups,
		"--no-group": &r.NoGroups, "--no-install-package": &r.NoInstall, "--package": &r.Packages,
	}
	for i := 0; i < len(flags); i++ {
		if b, ok := switches[flags[i]]; ok {
			*b = true
		} else if list, ok := lists[flags[i]]; ok {
			i++
			*list = append(*list, flags[i])
		} else {
			t.Fatalf("unknown flag %q", flags[i])
		}
	}
	return r
}

// uvFlags adds what makes uv leave out the group dev, as vpk does by default.
func uvFlags(flags []string) []string {
	text := " " + strings.Join(flags, " ") + " "
	for _, flag := range []string{" --dev ", " --no-dev ", " --only-dev ", " --all-groups ", " --group dev ", " --only-group dev "} {
		if strings.Contains(text, flag) {
			return flags
		}
	}
	return append(slices.Clone(flags), "--no-dev")
}

func packageList(s *lockfile.Selection) []string {
	list := []string{}
	for _, p := range s.Packages {
		list = append(list, p.Package.String())
	}
	return list
}

// fileVersions are all that is installed, with the versions of the wheels, as uv reports them: they may have a local part more,
// and projects have none.
func fileVersions(s *lockfile.Selection) []string {
	list := []string{}
	for _, p := range s.Packages {
		list = append(list, p.Package.Name+" "+p.Wheel.Filename.Version)
	}
	for _, p := range s.Local {
		list = append(list, p.Package.Name)
	}
	slices.Sort(list)
	return list
}

func scenarios(t *testing.T, run func(t *testing.T, s *scenario)) {
	files, err := filepath.Glob("testdata/select/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { run(t, loadScenario(t, file)) })
	}
}

var kinds = map[string]fault.Kind{
	"error base": fault.Base, "error usage": fault.Usage, "error package": fault.Package, "error twice": fault.Package,
}

func TestSelect(t *testing.T) {
	scenarios(t, func(t *testing.T, s *scenario) {
		for _, c := range s.cases {
			t.Run(strings.Join(append([]string{c.target.Python.Short(), string(c.target.Arch)}, c.flags...), " "), func(t *testing.T) {
				selection, err := lockfile.Select(s.lock, c.target, request(t, c.flags, s.project.UV.DefaultGroups))
				if kind, wantErr := kinds[c.want]; wantErr {
					if err == nil || fault.KindOf(err) != kind {
						t.Fatalf("got %v (kind %d), want an error of kind %d", err, fault.KindOf(err), kind)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(packageList(selection), ", "); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				checkRanks(t, selection)
			})
		}
	})
}

// checkRanks wants ranks to be a permutation of the packages.
func checkRanks(t rapid.TB, s *lockfile.Selection) {
	t.Helper()
	seen := map[int]bool{}
	for _, p := range s.Packages {
		if p.Rank < 0 || p.Rank >= len(s.Packages) || seen[p.Rank] {
			t.Errorf("%s: rank %d of %d is out of range or there twice", p.Package, p.Rank, len(s.Packages))
		}
		seen[p.Rank] = true
	}
}

// checkOrder wants every package before those that require it, unless it requires them in turn. No cycle may pass through
// the root.
func checkOrder(t rapid.TB, s *lockfile.Selection) {
	t.Helper()
	requiredBy := map[string][]string{}
	for _, p := range s.Packages {
		requiredBy[p.Package.Name] = p.RequiredBy
	}
	reaches := func(from, to string) bool { // along requiredBy
		seen := map[string]bool{}
		queue := []string{from}
		for i := 0; i < len(queue); i++ {
			for _, next := range requiredBy[queue[i]] {
				if next == to {
					return true
				}
				if !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		return false
	}
	for _, dependency := range s.Packages {
		for _, dependant := range s.Packages {
			a, b := dependency.Package.Name, dependant.Package.Name
			if reaches(a, b) && !reaches(b, a) && dependency.Rank > dependant.Rank {
				t.Errorf("%s (%d) comes after %s (%d), which requires it", a, dependency.Rank, b, dependant.Rank)
			}
		}
	}
}

// TestSelectLikeUV compares every selection, and the files that are chosen, with what uv would install.
func TestSelectLikeUV(t *testing.T) {
	uv := newOracle(t)
	scenarios(t, func(t *testing.T, s *scenario) {
		for _, c := range s.cases {
			compareWithUV(t, uv, s.dir, s.lock, s.project, c)
		}
	})
}

// compareWithUV tells whether there was a selection to compare.
func compareWithUV(t *testing.T, uv *oracle, dir string, lock *lockfile.Lock, project *pyproject.Project, c selectCase) bool {
	t.Helper()
	what := fmt.Sprintf("%s %s", c.target, strings.Join(c.flags, " "))
	flags := uvFlags(c.flags)
	want, uvErr := uv.packages(t, dir, c.target, flags...)
	selection, err := lockfile.Select(lock, c.target, request(t, c.flags, project.UV.DefaultGroups))
	if twice := duplicateNames(want); len(twice) > 0 {
		// uv would install both; vpk refuses.
		if fault.KindOf(err) != fault.Package || !strings.Contains(err.Error(), twice[0]) {
			t.Errorf("%s: uv takes %v twice, we say %v", what, twice, err)
		}
		return false
	}
	if (err != nil) != (uvErr != nil) {
		t.Errorf("%s: we say %v\nuv says %v", what, err, uvErr)
	}
	if err != nil || uvErr != nil {
		return false
	}
	if diff := cmp.Diff(want, fileVersions(selection)); diff != "" {
		t.Errorf("%s: uv - vpk +:\n%s", what, diff)
	}
	for _, p := range selection.Packages {
		if len(p.Package.Wheels) < 2 {
			continue
		}
		if want := uv.file(t, dir, c.target, p.Package.Name, flags...); want != p.Wheel.URL {
			t.Errorf("%s: %s: uv takes %s, we take %s", what, p.Package, want, p.Wheel.URL)
		}
	}
	return true
}

// duplicateNames are the names that are in a list of "name version" more than once.
func duplicateNames(packages []string) []string {
	var names, twice []string
	for _, p := range packages {
		name, _, _ := strings.Cut(p, " ")
		if slices.Contains(names, name) {
			twice = append(twice, name)
		}
		names = append(names, name)
	}
	return twice
}
