package peer

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python is CPython: VPK_TEST_PYTHON or python3 of PATH, able to import the named modules.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	python := find(t, "VPK_TEST_PYTHON", "python3")
	for _, m := range modules {
		if out, err := exec.CommandContext(t.Context(), python, "-c", "import "+m).CombinedOutput(); err != nil {
			Missing(t, "%s cannot import %q (set VPK_TEST_PYTHON): %v\n%s", python, m, err, out)
		}
	}
	return python
}

// PythonVersion is the full version of an interpreter, such as "3.11.2".
func PythonVersion(t testing.TB, python string) string {
	t.Helper()
	return ask(t, python, "import platform; print(platform.python_version())")
}

// Packaging is Python with the pinned version of packaging.
func Packaging(t testing.TB) string {
	t.Helper()
	python := Python(t, "packaging")
	if v := ask(t, python, "import packaging; print(packaging.__version__)"); v != packagingVersion {
		Missing(t, "%s has packaging %s, and its version %s is what is compared with", python, v, packagingVersion)
	}
	return python
}

func ask(t testing.TB, python, script string) string {
	t.Helper()
	return strings.TrimSpace(Output(t, exec.CommandContext(t.Context(), python, "-c", script)))
}

// AskPackaging runs a script with Packaging, the question as JSON on its standard input, and reads the answer, JSON too,
// from its standard output.
func AskPackaging(t testing.TB, script string, question, answer any) {
	t.Helper()
	input, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), Packaging(t), "-c", script)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "PYTHONWARNINGS=ignore")
	cmd.Stdin = strings.NewReader(string(input))
	if err := json.Unmarshal([]byte(Output(t, cmd)), answer); err != nil {
		t.Fatalf("read the answer of packaging: %v", err)
	}
}

// Wheels are real wheels for CPython 3.11 on x86_64: files named by requirements such as "idna==3.10", which pip downloads.
func Wheels(t testing.TB, requirements ...string) []string {
	t.Helper()
	return download(t, "wheels", requirements,
		"--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64")
}

// NativeWheels are the wheels that pip takes for Python.
func NativeWheels(t testing.TB, requirements ...string) []string {
	t.Helper()
	tag := ask(t, Python(t), "import sys; print(sys.implementation.cache_tag)")
	return download(t, filepath.Join("wheels", tag), requirements)
}

// download has pip fill a directory of the cache for each requirement, once.
func download(t testing.TB, folder string, requirements []string, flags ...string) []string {
	t.Helper()
	python := Python(t, "pip")
	cache := CacheDir(t.TempDir())
	var files []string
	for _, r := range requirements {
		dir := filepath.Join(cache, folder, r)
		found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
		if err == nil && len(found) == 0 {
			args := append([]string{"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", dir}, flags...)
			if out, err := exec.CommandContext(t.Context(), python, append(args, r)...).CombinedOutput(); err != nil {
				Missing(t, "pip cannot download %s: %v\n%s", r, err, out)
			}
			found, err = filepath.Glob(filepath.Join(dir, "*.whl"))
		}
		if err != nil || len(found) != 1 {
			t.Fatalf("wheels of %s: %q, %v", r, found, err)
		}
		files = append(files, found[0])
	}
	return files
}
