package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

// TestVenvIsWhatUVMakes compares `vpk venv` with `uv sync`, at one path, file by file, but for the differences that the
// comment of package venv lists.
func TestVenvIsWhatUVMakes(t *testing.T) {
	t.Parallel()
	u, uv, python := warmUser(t), peer.UV(t), peer.Python(t)
	project, env := u.example(fastapiDemo), u.path("env")
	tool(t, []string{
		"UV_CACHE_DIR=" + u.path("uv-cache"), "UV_PYTHON_DOWNLOADS=never", "UV_NO_CONFIG=1", "UV_PROJECT_ENVIRONMENT=" + env, "VIRTUAL_ENV=",
	}, uv, "sync", "--quiet", "--frozen", "--no-dev", "--link-mode", "copy", "--python", python, "--project", project)
	want := installed(t, env)
	if err := os.RemoveAll(env); err != nil {
		t.Fatal(err)
	}
	if out := u.does("venv", env, "--project", project, "--python", python); out != env {
		t.Errorf("vpk venv says %q", out)
	}
	got := installed(t, env)
	for _, name := range []string{"bin/python", "bin/uvicorn", "pyvenv.cfg"} {
		if _, ok := got[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 500 {
		t.Errorf("%d paths, -uv +vpk:\n%s", len(got), diff)
	}

	// It runs.
	if out := tool(t, nil, filepath.Join(env, "bin", "uvicorn"), "--version"); !strings.Contains(out, "uvicorn 0.46.0") {
		t.Errorf("uvicorn says %q", out)
	}
	script := "import fastapi, pydantic_core, uvloop, sys; print(sys.prefix)"
	if out := tool(t, nil, filepath.Join(env, "bin", "python"), "-c", script); out != env {
		t.Errorf("sys.prefix is %q, want %q", out, env)
	}
	if out, err := try(t, nil, filepath.Join(env, "bin", "python"), "-c", "import pytest"); err == nil {
		t.Error("the group dev is installed: ", out)
	}
	tool(t, []string{"VIRTUAL_ENV=" + env, "UV_CACHE_DIR=" + u.path("uv-cache")}, uv, "pip", "check")
}

// Files of uv's that vpk leaves out.
var uvOnly = []string{
	"CACHEDIR.TAG", ".gitignore", ".lock", "bin/activate", "bin/activate.bat", "bin/activate.csh", "bin/activate.fish", "bin/activate.nu",
	"bin/activate.ps1", "bin/activate_this.py", "bin/deactivate.bat", "bin/pydoc.bat",
}

// installed reads an environment in which the two may differ in nothing: a RECORD is the set of its rows, a script's first
// line names python, INSTALLER nobody. The rows of those files prove themselves and are compared without hash and size.
func installed(t *testing.T, env string) tree {
	t.Helper()
	found := readTree(t, env)
	read := func(name string) (string, fs.FileMode) {
		info, err := os.Stat(filepath.Join(env, name))
		if err != nil {
			t.Fatal(err)
		}
		return readFile(t, filepath.Join(env, name)), info.Mode()
	}
	adjusted := map[string]bool{}
	var records []string
	for name, what := range found {
		dir, base := path.Split(name)
		switch {
		case slices.Contains(uvOnly, name), strings.HasPrefix(base, "_virtualenv."), base == "uv_cache.json":
			delete(found, name)
		case base == "RECORD":
			records = append(records, name)
		case base == "INSTALLER":
			_, mode := read(name)
			found[name] = file(mode, nil)
			adjusted[name] = true
		case name == "pyvenv.cfg":
			text, mode := read(name)
			var kept []byte
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "uv = ") && !strings.HasPrefix(line, "prompt = ") {
					kept = append(kept, line...)
				}
			}
			found[name] = file(mode, kept)
		case dir == "bin/" && strings.HasPrefix(what, "file "):
			text, mode := read(name)
			if rest, ok := strings.CutPrefix(text, "#!"+env+"/bin/python3\n"); ok {
				text = "#!" + env + "/bin/python\n" + rest
			}
			found[name] = file(mode, []byte(text))
			adjusted[name] = true
		}
	}
	for _, name := range records {
		_, mode := read(name)
		found[name] = fmt.Sprintf("record %o\n%s", mode.Perm(), strings.Join(rows(t, env, name, adjusted), "\n"))
	}
	return found
}

// rows are the rows of a RECORD, sorted, each proved by its file.
func rows(t *testing.T, env, record string, adjusted map[string]bool) []string {
	t.Helper()
	list, err := csv.NewReader(strings.NewReader(readFile(t, filepath.Join(env, record)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range list {
		name := path.Join(path.Dir(path.Dir(record)), row[0])
		if row[1] != "" {
			content := readFile(t, filepath.Join(env, name))
			sum := sha256.Sum256([]byte(content))
			if row[1] != "sha256="+base64.RawURLEncoding.EncodeToString(sum[:]) || row[2] != fmt.Sprint(len(content)) {
				t.Errorf("%s: the row of %s is %q, which the file is not", record, name, row)
			}
		}
		if adjusted[name] {
			row = []string{row[0], "", ""}
		}
		if path.Base(name) != "uv_cache.json" {
			out = append(out, strings.Join(row, ","))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
