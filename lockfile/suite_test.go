package lockfile_test

import (
	"fmt"
	"hash/fnv"
	"maps"
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
// selection, PYTHON ARCH GLIBC [@MEMBER] [FLAGS]: one of all of the project, or, from its directory, of a member. A section
// with an extension is a file; one without is a list of wheels (see suiteWheels): of the index $INDEX beside those of
// testdata/suite/universe ("index"), of the index $OTHER ("other"), at the URL $FILES and on the flat page $PAGE ("files"),
// else in a directory of that name. $DIR is the directory of it all. The project is in app/, if there is one. What is in
// repo/ is a Git repository, $REPO, with a tag v1.
type suiteProject struct {
	name    string
	dir     string // of the project
	cases   []selectCase
	lock    *lockfile.Lock
	project *pyproject.Project
}

var suiteLine = regexp.MustCompile(`^(3\.[0-9.]+) (x86_64|aarch64) 2\.(\d+)( @\S+)?(.*)$`)

func loadSuiteProject(t *testing.T, s *suiteServer, uv *oracle, file string) *suiteProject {
	t.Helper()
	p := writeSuiteProject(t, s, file)
	if err := p.lockWith(t, uv); err != nil {
		t.Fatal(err)
	}
	p.read(t)
	return p
}

// writeSuiteProject makes a project's files.
func writeSuiteProject(t *testing.T, s *suiteServer, file string) *suiteProject {
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
			member := strings.TrimPrefix(strings.TrimSpace(m[4]), "@")
			p.cases = append(p.cases, selectCase{target: target, member: member, flags: strings.Fields(m[5])})
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
		"$FILES", filesURL, "$PAGE", s.addPage(at+"/page.html", filesURL, files), "$DIR", top, "$REPO", "file://"+filepath.Join(top, "repo"))
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
	if repo := filepath.Join(top, "repo"); exists(repo) {
		commitRepository(t, repo)
	}
	return p
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// lockWith has uv lock the project, with the Python of the first selection.
func (p *suiteProject) lockWith(t *testing.T, uv *oracle) error {
	t.Helper()
	python := uv.python(t, p.cases[0].target.Python.String())
	if exists(filepath.Join(p.dir, "backend.py")) {
		python = peer.Python(t) // it runs
	}
	cmd := uv.online(p.dir, "lock", "--python", python)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("uv cannot lock %s: %w\n%s", p.name, err, out)
	}
	return nil
}

// read reads the project and its lock.
func (p *suiteProject) read(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if p.lock, err = lockfile.Parse(data, "uv.lock"); err != nil {
		t.Fatal(err)
	}
	p.project = readProject(t, p.dir)
}

func readProject(t *testing.T, dir string) *pyproject.Project {
	t.Helper()
	name := filepath.Join(dir, "pyproject.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	project, err := pyproject.Read(data, name)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// commitRepository makes a Git repository of a directory, all of it in one commit with a tag.
func commitRepository(t *testing.T, dir string) {
	t.Helper()
	git := peer.Tool(t, "git")
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=x", "-c", "user.email=x@y.example", "commit", "-q", "-m", "x"}, {"tag", "v1"},
	} {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir = dir
		peer.Output(t, cmd)
	}
}

// checkFresh wants Check to find nothing in a lock that uv just wrote.
func (p *suiteProject) checkFresh(t *testing.T) {
	t.Helper()
	notes, err := checkDir(p.dir)
	if err != nil {
		t.Errorf("%s is fresh, and not by Check: %v", p.name, err)
	}
	for _, note := range notes {
		t.Logf("%s: %s", p.name, note)
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
type tally struct{ agree, named, refused, twice, differ int }

// request is what a selection asks of vpk.
func (p *suiteProject) request(t *testing.T, c selectCase) lockfile.Request {
	t.Helper()
	project := p.project
	if c.member != "" {
		project = readProject(t, filepath.Join(p.dir, c.member))
	}
	r := request(t, c.flags, project.UV.DefaultGroups)
	r.GroupPython, r.Project = project.UV.GroupPython, project.Name
	if project.Name == "" {
		r.RootGroups = slices.Collect(maps.Keys(project.DependencyGroups))
	}
	return r
}

// compareNames compares the names and versions of one selection with what uv would install, where some of it has to be built.
// Today vpk refuses that by name, and selects the same as uv without it.
func (p *suiteProject) compareNames(t *testing.T, uv *oracle, c selectCase, sum *tally) {
	t.Helper()
	what := fmt.Sprintf("%s: %s %s %s", p.name, c.target, c.member, strings.Join(c.flags, " "))
	want, uvErr := uv.packages(t, filepath.Join(p.dir, c.member), c.target, uvFlags(c.flags)...)
	if uvErr != nil {
		t.Fatalf("%s: %v", what, uvErr)
	}
	r := p.request(t, c)
	selection, err := lockfile.Select(p.lock, c.target, r)
	if err != nil {
		text := err.Error()
		want = slices.DeleteFunc(want, func(pkg string) bool {
			name, _, _ := strings.Cut(pkg, " ")
			built := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(name) + `[ :]`).MatchString(text)
			if built {
				r.NoInstall = append(r.NoInstall, name)
			}
			return built
		})
		if selection, err = lockfile.Select(p.lock, c.target, r); err != nil {
			t.Errorf("%s: %s\nand then %v", what, text, err)
			sum.differ++
			return
		}
	}
	if diff := cmp.Diff(want, fileVersions(selection)); diff != "" {
		t.Errorf("%s: uv - vpk +:\n%s", what, diff)
		sum.differ++
		return
	}
	sum.named++
}

// compare compares one selection, to the file, with what uv installs.
func (p *suiteProject) compare(t *testing.T, uv *oracle, c selectCase, sum *tally) {
	t.Helper()
	what := fmt.Sprintf("%s: %s %s %s", p.name, c.target, c.member, strings.Join(c.flags, " "))
	want, uvErr := uv.installed(t, filepath.Join(p.dir, c.member), c.target, uvFlags(c.flags)...)
	selection, err := lockfile.Select(p.lock, c.target, p.request(t, c))
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
	case uvErr != nil && strings.Contains(uvErr.Error(), "Failed to build"):
		// No build backend is at hand.
		p.compareNames(t, uv, c, sum)
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
			p.checkFresh(t)
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
	total := sum.agree + sum.named + sum.refused + sum.twice + sum.differ
	t.Logf("%d projects, %d selections: %s", len(files), total, sum)
}
