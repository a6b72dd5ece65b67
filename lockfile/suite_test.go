package lockfile_test

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vpk/internal/peer"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// suiteProject is a project that uv locks while the test runs, a file of testdata/suite. Its comment has a line for each
// selection, PYTHON ARCH GLIBC [FLAGS]. A section with an extension is a file; one without is a list of wheels (see
// suiteWheels): of the index $INDEX beside those of testdata/suite/universe ("index"), of the index $OTHER ("other"), at the
// URL $FILES and on the flat page $PAGE ("files"), else in a directory of that name. $DIR is the directory of it all. The
// project is in app/, if there is one.
type suiteProject struct {
	name    string
	dir     string // of the project
	cases   []selectCase
	lock    *lockfile.Lock
	project *pyproject.Project
}

var suiteLine = regexp.MustCompile(`^(3\.[0-9.]+) (x86_64|aarch64) 2\.(\d+)(.*)$`)

func loadSuiteProject(t *testing.T, s *suiteServer, uv *oracle, file string) *suiteProject {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	universe, err := os.ReadFile("testdata/suite/universe")
	if err != nil {
		t.Fatal(err)
	}
	p := &suiteProject{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), dir: t.TempDir()}
	for line := range strings.Lines(string(archive.Comment)) {
		if m := suiteLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			target := testTarget(m[1], tag.Arch(m[2]))
			if _, err := fmt.Sscan(m[3], &target.Glibc.Minor); err != nil {
				t.Fatal(err)
			}
			p.cases = append(p.cases, selectCase{target: target, flags: strings.Fields(m[4])})
		}
	}
	if len(p.cases) == 0 {
		t.Fatalf("%s has no selections", file)
	}
	index := suiteWheels(t, string(universe))
	var other, files []suiteWheel
	top := p.dir
	for _, f := range archive.Files {
		if path.Ext(f.Name) != "" {
			continue
		}
		switch wheels := suiteWheels(t, string(f.Data)); f.Name {
		case "index":
			index = append(index, wheels...)
		case "other":
			other = wheels
		case "files":
			files = wheels
		default:
			writeWheels(t, filepath.Join(top, f.Name), wheels)
		}
	}
	at := "/" + p.name
	filesURL := s.addFiles(at+"/files", files)
	replace := strings.NewReplacer("$INDEX", s.addIndex(t, at+"/main", index), "$OTHER", s.addIndex(t, at+"/other", other),
		"$FILES", filesURL, "$PAGE", s.addPage(at+"/page.html", filesURL, files), "$DIR", top)
	for _, f := range archive.Files {
		if path.Ext(f.Name) == "" {
			continue
		}
		name := filepath.Join(top, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(replace.Replace(string(f.Data))), 0o644); err != nil {
			t.Fatal(err)
		}
		if f.Name == "app/pyproject.toml" {
			p.dir = filepath.Join(top, "app")
		}
	}
	p.read(t, uv)
	return p
}

// read locks the project, with the Python of the first selection, and reads it.
func (p *suiteProject) read(t *testing.T, uv *oracle) {
	t.Helper()
	cmd := uv.online(p.dir, "lock", "--python", uv.python(t, p.cases[0].target.Python.String()))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("uv cannot lock %s: %v\n%s", p.name, err, out)
	}
	data, err := os.ReadFile(filepath.Join(p.dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if p.lock, err = lockfile.Parse(data, "uv.lock"); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(p.dir, "pyproject.toml")
	if data, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	if p.project, err = pyproject.Read(data, name); err != nil {
		t.Fatal(err)
	}
}

// online is uv with nothing of this machine's configuration, a cache for the whole test, and the network of the test.
func (o *oracle) online(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(o.uv, append(args, "--color", "never", "--cache-dir", filepath.Join(o.home, "cache"))...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "UV_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "UV_PYTHON_DOWNLOADS=never", "UV_LINK_MODE=copy", "XDG_CONFIG_HOME="+filepath.Join(o.home, "none"),
		"XDG_CONFIG_DIRS="+filepath.Join(o.home, "none"), "UV_PROJECT_ENVIRONMENT="+filepath.Join(o.home, "installed"))
	return cmd
}

// installed are the file names of the wheels that uv installs from the lock, sorted, or its error. The environment cannot
// run: its interpreter does not exist.
func (o *oracle) installed(t testing.TB, dir string, target tag.Target, flags ...string) ([]string, error) {
	t.Helper()
	env := filepath.Join(o.home, "installed")
	if err := os.RemoveAll(env); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"sync", "--frozen", "--python", o.python(t, target.Python.String()),
		"--python-platform", fmt.Sprintf("%s-manylinux_2_%d", target.Arch, target.Glibc.Minor),
	}
	if out, err := o.online(dir, append(args, flags...)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(env, "lib/python*/site-packages/chosen/*.whl"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, name := range found {
		names = append(names, filepath.Base(name))
	}
	slices.Sort(names)
	return names, nil
}

// tally counts what a comparison came to.
type tally struct{ agree, refused, twice, differ int }

// compare compares one selection, to the file, with what uv installs.
func (p *suiteProject) compare(t *testing.T, uv *oracle, c selectCase, sum *tally) {
	t.Helper()
	what := fmt.Sprintf("%s: %s %s", p.name, c.target, strings.Join(c.flags, " "))
	want, uvErr := uv.installed(t, p.dir, c.target, uvFlags(c.flags)...)
	r := request(t, c.flags, p.project.UV.DefaultGroups)
	r.GroupPython = p.project.UV.GroupPython
	if p.project.Name == "" {
		for group := range p.project.DependencyGroups {
			r.RootGroups = append(r.RootGroups, group)
		}
	}
	selection, err := lockfile.Select(p.lock, c.target, r)
	var names []string
	for _, name := range want {
		names = append(names, strings.Replace(name, "-", " ", 1))
	}
	twice := duplicateNames(names)
	switch {
	case len(twice) > 0:
		// uv installs both; vpk refuses.
		if err == nil || !strings.Contains(err.Error(), "is selected twice") {
			t.Errorf("%s: uv takes %v twice, we say %v", what, twice, err)
			sum.differ++
			return
		}
		sum.twice++
		return
	case (err != nil) != (uvErr != nil):
		t.Errorf("%s: we say %v\nuv says %v", what, err, uvErr)
		sum.differ++
		return
	case err != nil:
		sum.refused++
		return
	}
	got := []string{}
	for _, s := range selection.Packages {
		got = append(got, s.Wheel.Filename.String())
		if s.Path != "" && !filepath.IsAbs(s.Path) {
			s.Path = filepath.Join(p.dir, s.Path)
		}
		if _, err := os.Stat(s.Path); s.URL == "" && err != nil {
			t.Errorf("%s: %s: %v", what, s.Package, err)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: uv - vpk +:\n%s", what, diff)
		sum.differ++
		return
	}
	sum.agree++
}

// suiteSample is how many selections are compared unless all are asked for.
const suiteSample = 10

// TestSuiteLikeUV has uv lock the projects of testdata/suite over a loopback index, and compares every selection with what
// uv installs. Unless VPK_PROOF=1 it takes a fixed sample.
func TestSuiteLikeUV(t *testing.T) {
	uv := newOracle(t)
	files, err := filepath.Glob("testdata/suite/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d projects: %v", len(files), err)
	}
	sample := func(file string) uint32 {
		h := fnv.New32a()
		h.Write([]byte("seed 5 " + file))
		return h.Sum32()
	}
	if !peer.InFull() {
		slices.SortFunc(files, func(a, b string) int { return int(int64(sample(a)) - int64(sample(b))) })
		files = files[:suiteSample]
	}
	server := newSuiteServer(t)
	var sum tally
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			p := loadSuiteProject(t, server, uv, file)
			cases := p.cases
			if !peer.InFull() {
				first := int(sample(p.name)) % len(cases)
				cases = cases[first : first+1]
			}
			for _, c := range cases {
				p.compare(t, uv, c, &sum)
			}
		})
	}
	total := sum.agree + sum.refused + sum.twice + sum.differ
	t.Logf("%d projects, %d selections: %d agree file by file, %d are refused by both, %d that uv would install twice over are refused by vpk, %d differ",
		len(files), total, sum.agree, sum.refused, sum.twice, sum.differ)
}
