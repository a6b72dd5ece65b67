package lockfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
)

// knownDifferences are the edits after which Check and uv disagree, and why.
var knownDifferences = map[string]string{
	"newer/allowed": "behind a package whose exclude-newer is a span, uv does not look at other packages'",
}

// edit changes one file of a project; was is empty where the file is new.
type edit struct{ name, file, was, is string }

// freshProject is a project of testdata/check.
type freshProject struct {
	name  string
	files map[string]string
	edits []edit
}

func readFreshProject(t *testing.T, path string, places *strings.Replacer) freshProject {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := freshProject{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), files: map[string]string{}}
	lines := strings.NewReplacer(`\n`, "\n")
	for _, f := range archive.Files {
		text := places.Replace(string(f.Data))
		if f.Name != "edits" {
			p.files[f.Name] = text
			continue
		}
		for line := range strings.Lines(text) {
			parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " | ", 4)
			if len(parts) != 4 {
				t.Fatalf("%s: %q is no edit", path, line)
			}
			p.edits = append(p.edits, edit{parts[0], parts[1], lines.Replace(parts[2]), lines.Replace(parts[3])})
		}
	}
	return p
}

// uvLock runs `uv lock` with what the tests' projects need.
type uvLock struct{ uv, python, cache, links string }

func (u *uvLock) run(t *testing.T, dir string, configured bool, flags ...string) (code int, output string) {
	t.Helper()
	args := append([]string{"lock", "--offline", "--color", "never", "--cache-dir", u.cache, "--python", u.python}, flags...)
	cmd := exec.CommandContext(t.Context(), u.uv, args...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "UV_") }),
		"XDG_CONFIG_HOME="+u.cache, "XDG_CONFIG_DIRS="+u.cache, "TZ=UTC")
	if !configured {
		cmd.Env = append(cmd.Env, "UV_FIND_LINKS="+u.links, "UV_NO_INDEX=1")
	}
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), text.String()
}

// TestCheckLikeUV locks projects with uv, edits them, and compares Check with `uv lock --check`.
func TestCheckLikeUV(t *testing.T) {
	u := &uvLock{uv: peer.UV(t), python: peer.Python(t), cache: t.TempDir(), links: t.TempDir()}
	for _, b := range []*testwheel.Builder{
		testwheel.New("alpha", "1.0"), testwheel.New("alpha", "2.0"), testwheel.New("beta", "1.0").Requires("alpha"),
		testwheel.New("beta", "2.0"), testwheel.New("delta", "1.0"), testwheel.New("epsilon", "1.0").Header("Provides-Extra: x"),
		testwheel.New("gamma", "1.0").Header("Provides-Extra: x").Requires("delta ; extra == 'x'"),
	} {
		b.Write(t, u.links)
	}
	if err := os.Mkdir(filepath.Join(u.links, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	repo := t.TempDir()
	gitRepository(t, repo)
	places := strings.NewReplacer("LINKS", u.links, "REPO", "file://"+repo)
	archives, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(archives) < 25 {
		t.Fatalf("%d projects, %v", len(archives), err)
	}
	counts := map[string]int{}
	for _, path := range archives {
		p := readFreshProject(t, path, places)
		t.Run(p.name, func(t *testing.T) { u.compare(t, p, counts) })
	}
	var texts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[what], what))
	}
	t.Log(strings.Join(texts, ", "))
}

func (u *uvLock) compare(t *testing.T, p freshProject, counts map[string]int) {
	root := filepath.Join(t.TempDir(), "project")
	write := func(files map[string]string) {
		for name, text := range files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var chosen []edit
	for _, e := range append([]edit{{name: "none"}}, p.edits...) {
		hash := fnv.New32()
		hash.Write([]byte(p.name + "/" + e.name))
		if peer.InFull() || hash.Sum32()%6 == 0 {
			chosen = append(chosen, e)
		}
	}
	if len(chosen) == 0 {
		return
	}
	counts["projects"]++
	write(p.files)
	configured := strings.Contains(p.files["pyproject.toml"], "find-links")
	if code, output := u.run(t, root, configured); code != 0 {
		t.Fatalf("uv does not lock it: %s", output)
	}
	for _, e := range chosen {
		id := p.name + "/" + e.name
		counts["edits"]++
		if e.file != "" {
			was, isThere := p.files[e.file]
			if isThere && !strings.Contains(was, e.was) {
				t.Fatalf("%s: there is no %q", e.name, e.was)
			}
			is := e.is
			if isThere {
				is = strings.Replace(was, e.was, e.is, 1)
			}
			write(map[string]string{e.file: is})
		}
		code, output := u.run(t, root, configured, "--check")
		notes, err := checkDir(root)
		_, known := knownDifferences[id]
		switch {
		case (code == 0) == (err == nil) && known:
			t.Errorf("%s is listed as a difference and is none", id)
		case (code == 0) == (err == nil) && code == 0:
			counts["fresh"]++
		case (code == 0) == (err == nil):
			counts["stale"]++
		case known:
			counts["known to differ"]++
		case err == nil && len(notes) > 0:
			counts["not decided"]++
		default:
			t.Errorf("%s: uv ends with %d, Check says %v; %q\n%s", e.name, code, err, notes, output)
		}
		if e.file != "" {
			if _, isThere := p.files[e.file]; !isThere {
				if err := os.Remove(filepath.Join(root, e.file)); err != nil {
					t.Fatal(err)
				}
				for dir := filepath.Dir(e.file); dir != "."; dir = filepath.Dir(dir) {
					os.Remove(filepath.Join(root, dir)) // if it is empty now
				}
			}
		}
		write(p.files)
	}
}

// checkDir is Check of a project on disk.
func checkDir(dir string) ([]string, error) {
	manifest, err := os.ReadFile(filepath.Join(dir, "pyproject.toml"))
	if err != nil {
		return nil, err
	}
	project, err := pyproject.Read(manifest, "pyproject.toml")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "uv.lock"))
	if err != nil {
		return nil, err
	}
	lock, err := lockfile.Parse(text, "uv.lock")
	if err != nil {
		return nil, err
	}
	return lockfile.Check(lock, lockfile.Freshness{
		Project: project, Disk: lockfile.Disk{Dir: dir, ReadFile: os.ReadFile, ReadDir: os.ReadDir},
	})
}

// gitRepository makes a repository of a project, and of another one in a subdirectory, with tags.
func gitRepository(t *testing.T, dir string) {
	t.Helper()
	files := map[string]string{
		"pyproject.toml":     "[project]\nname = \"repo\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = []\n",
		"sub/pyproject.toml": "[project]\nname = \"pinned\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = []\n",
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	commitRepository(t, dir)
	cmd := exec.CommandContext(t.Context(), peer.Tool(t, "git"), "tag", "v2")
	cmd.Dir = dir
	peer.Output(t, cmd)
}
