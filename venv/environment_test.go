package venv

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vpk/internal/peer"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// uvFor makes commands of uv, which takes the environment at prefix for the active one and has no configuration.
func uvFor(t *testing.T, prefix string) func(args ...string) *exec.Cmd {
	t.Helper()
	uv, cache := peer.UV(t), t.TempDir()
	return func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), uv, args...)
		cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+cache, "UV_NO_CONFIG=1", "UV_PYTHON_DOWNLOADS=never", "VIRTUAL_ENV="+prefix)
		return cmd
	}
}

// written is a path of an environment on disk: a mode and content, or a link's target. The content of a large file is
// its hash, but RECORD's.
type written struct {
	mode    fs.FileMode
	content string
}

const large = 256 << 10

func readFile(p string, size int64) (string, error) {
	if size <= large || path.Base(p) == "RECORD" {
		text, err := os.ReadFile(p)
		return string(text), err
	}
	f, err := os.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%d bytes, sha256 %x", size, h.Sum(nil)), err
}

// readDir reads a directory's files, links, and directories that have a file somewhere below.
func readDir(t *testing.T, dir string) map[string]written {
	t.Helper()
	found, dirs := map[string]written{}, map[string]written{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, dir+"/"))
		info, err := d.Info()
		if err != nil {
			return err
		}
		var text string
		switch {
		case d.IsDir():
			dirs[rel] = written{mode: info.Mode()}
			return nil
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			found[rel] = written{fs.ModeSymlink, target}
			return err
		default:
			text, err = readFile(p, info.Size())
		}
		found[rel] = written{info.Mode(), text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Collect(maps.Keys(found)) {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			found[d] = dirs[d]
		}
	}
	return found
}

// pair is two environments of the same wheels, each made at prefix: uv's was moved to prefix.uv then.
type pair struct {
	t      *testing.T
	prefix string
	python string // an interpreter
	wheels []Package
}

// newPair is a pair of wheel files. With direct they are named to uv by URL, and have a direct_url.json.
func newPair(t *testing.T, files []string, direct bool) *pair {
	t.Helper()
	old := syscall.Umask(0o022)
	t.Cleanup(func() { syscall.Umask(old) })
	peer.UV(t)
	p := &pair{t: t, prefix: filepath.Join(t.TempDir(), "env"), python: peer.Python(t)}
	for _, file := range files {
		w := open(t, file)
		one := Package{Name: w.Filename.NormalizedName(), Version: w.Filename.Version, Wheel: w}
		if direct {
			one.DirectURL = "file://" + file
		}
		p.wheels = append(p.wheels, one)
	}
	return p
}

// installByUV makes uv's environment.
func (p *pair) installByUV(files []string) error {
	var requirements, links []string
	for i, w := range p.wheels {
		if w.DirectURL != "" {
			requirements = append(requirements, w.Name+" @ "+w.DirectURL)
			continue
		}
		requirements = append(requirements, w.Name+"=="+w.Version)
		links = append(links, "--find-links", filepath.Dir(files[i]))
	}
	uv := uvFor(p.t, p.prefix)
	peer.Output(p.t, uv("venv", "--quiet", "--python", p.python, p.prefix))
	install := uv(slices.Concat([]string{"pip", "install", "--quiet", "--no-deps", "--no-index", "--link-mode", "copy"}, links, requirements)...)
	out, err := install.CombinedOutput()
	if err != nil {
		return fmt.Errorf("uv: %w\n%s", err, out)
	}
	return os.Rename(p.prefix, p.prefix+".uv")
}

// spec is that of both environments.
func (p *pair) spec() Spec {
	p.t.Helper()
	const script = "import os, platform, sys; print(platform.python_version(), os.path.realpath(sys.executable))"
	full, executable, _ := strings.Cut(peer.Output(p.t, exec.CommandContext(p.t.Context(), p.python, "-I", "-c", script)), " ")
	version, err := tag.ParsePython(full)
	if err != nil {
		p.t.Fatal(err)
	}
	return Spec{Prefix: p.prefix, Python: version, Interpreter: strings.TrimSpace(executable)}
}

// plan is the parts of our environment.
func (p *pair) plan(s Spec) ([]Installed, []tree.Part, []Collision, error) {
	skeleton, err := Skeleton(s)
	if err != nil {
		return nil, nil, nil, err
	}
	var installed []Installed
	for rank, one := range p.wheels {
		in, err := Install(s, one)
		if err != nil {
			return nil, nil, nil, err
		}
		in.Rank = rank
		installed = append(installed, in)
	}
	parts, collisions, err := Join(skeleton, installed, Report)
	return installed, parts, collisions, err
}

func (p *pair) write(parts []tree.Part) {
	p.t.Helper()
	if err := tree.WriteDir(context.Background(), tree.Tree{Parts: parts}, p.prefix, tree.WriteOptions{Base: p.prefix[1:]}); err != nil {
		p.t.Fatal(err)
	}
}

// compare compares all that is on disk, but for the deliberate differences.
func (p *pair) compare(s Spec) (paths int) {
	p.t.Helper()
	want, got := readDir(p.t, p.prefix+".uv"), readDir(p.t, p.prefix)
	asOurs(p.t, want, s)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[name]
		w := want[name]
		switch {
		case !ok:
			p.t.Errorf("%s is missing", name)
		case g.mode != w.mode:
			p.t.Errorf("%s has mode %v, uv gives it %v", name, g.mode, w.mode)
		case g.content != w.content:
			equal(p.t, strings.Split(g.content, "\n"), strings.Split(w.content, "\n"))
			p.t.Errorf("%s differs", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			p.t.Errorf("%s is not in uv's environment", name)
		}
	}
	return len(want)
}

// distribution is what importlib.metadata says of a package.
type distribution struct {
	Name, Version string
	Requires      []string
	EntryPoints   []string `json:"entry_points"`
	DirectURL     string   `json:"direct_url"`
}

// inspect has an environment read by its own interpreter.
func inspect(t *testing.T, prefix string) (distributions []distribution, faults []string) {
	t.Helper()
	script, err := filepath.Abs("testdata/environment.py")
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Distributions []distribution
		Faults        []string
	}
	out := peer.Output(t, exec.CommandContext(t.Context(), filepath.Join(prefix, "bin/python"), "-I", "-B", script))
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	return found.Distributions, found.Faults
}

// compareWithUV installs wheels with uv and with this package, at one prefix, and compares all that is on disk and what
// CPython makes of it. The result is what CPython finds wrong with RECORD, which then is so in the wheels.
func compareWithUV(t *testing.T, files []string, direct bool) (paths int, faults []string) {
	t.Helper()
	p := newPair(t, files, direct)
	if err := p.installByUV(files); err != nil {
		t.Fatal(err)
	}
	s := p.spec()
	_, parts, collisions, err := p.plan(s)
	if err != nil || len(collisions) > 0 {
		t.Fatal(err, collisions)
	}
	p.write(parts)
	paths = p.compare(s)
	want, _ := inspect(t, p.prefix+".uv")
	got, faults := inspect(t, p.prefix)
	equal(t, got, want)
	if len(got) != len(files) {
		t.Errorf("CPython finds %d packages of %d", len(got), len(files))
	}
	return paths, faults
}
