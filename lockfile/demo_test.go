package lockfile_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"vpk/internal/peer"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// lockedProject makes a directory with a pyproject.toml and the lock that uv resolves for it. The lock stays in the cache of
// the tests, by the content of pyproject.toml, so that later runs need no network.
func lockedProject(t *testing.T, uv *oracle, manifest []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pyproject.toml"), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "uv.lock")
	kept := filepath.Join(peer.CacheDir(t.TempDir()), "locks", fmt.Sprintf("%x.lock", sha256.Sum256(manifest)))
	if lock, err := os.ReadFile(kept); err == nil {
		if err := os.WriteFile(path, lock, 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	cmd := exec.Command(uv.uv, "lock", "--python", uv.python(t, "3.11.0"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "UV_PYTHON_DOWNLOADS=never")
	if out, err := cmd.CombinedOutput(); err != nil {
		peer.Missing(t, "uv cannot lock the project (is there an index?): %v\n%s", err, out)
	}
	lock, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(kept), 0o755), os.WriteFile(kept, lock, 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDemoLikeUV locks the example with real uv and compares the selection and every chosen file.
func TestDemoLikeUV(t *testing.T) {
	uv := newOracle(t)
	manifest, err := os.ReadFile("../testdata/fastapi-demo/pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := lockedProject(t, uv, manifest)
	data, err := os.ReadFile(filepath.Join(dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(data, "uv.lock")
	if err != nil {
		t.Fatal(err)
	}
	project, err := pyproject.Read(manifest, "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	if notes, err := checkDir(dir); err != nil || len(notes) > 0 {
		t.Error(err, notes)
	}
	for _, python := range []string{"3.11", "3.13"} {
		for _, arch := range []tag.Arch{tag.X8664, tag.AArch64} {
			target := testTarget(python, arch)
			t.Run(target.String(), func(t *testing.T) {
				compareWithUV(t, uv, dir, lock, project, selectCase{target: target, flags: []string{"--dev"}})
				compareWithUV(t, uv, dir, lock, project, selectCase{target: target})
			})
		}
	}
	selection, err := lockfile.Select(lock, testTarget("3.11", tag.X8664), lockfile.Request{})
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, selection)
	names := packageNames(selection)
	if slices.Contains(names, "pytest") || !slices.Contains(names, "fastapi") || !slices.Contains(names, "uvloop") {
		t.Errorf("selected %v: want fastapi and uvloop (of uvicorn[standard]), not pytest", names)
	}
	if len(selection.Roots) != 1 || selection.Roots[0].Name != "fastapi-demo" {
		t.Errorf("roots %v", selection.Roots)
	}
}

func packageNames(s *lockfile.Selection) []string {
	var names []string
	for _, p := range s.Packages {
		names = append(names, p.Package.Name)
	}
	return names
}
