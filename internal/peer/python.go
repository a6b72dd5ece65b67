package peer

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// CPythons are the minors of which setup-pythons gets one interpreter each.
var CPythons = []string{"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"}

// CPython is an interpreter of a minor such as "3.12": that of the directory VPK_TEST_PYTHONS, or python3.12 of PATH.
func CPython(t testing.TB, minor string) string {
	t.Helper()
	program := "python" + minor
	if dir := os.Getenv("VPK_TEST_PYTHONS"); dir != "" {
		program = filepath.Join(dir, program)
	}
	if out, err := exec.CommandContext(t.Context(), program, "-c", "").CombinedOutput(); err != nil {
		Missing(t, "no CPython %s (set VPK_TEST_PYTHONS): %v\n%s", minor, err, out)
	}
	return program
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

// download has pip fill a directory of the cache for each requirement, once, and all that are missing in one run. No
// two requirements are of one package.
func download(t testing.TB, folder string, requirements []string, flags ...string) []string {
	t.Helper()
	python := Python(t, "pip")
	cache := filepath.Join(CacheDir(t.TempDir()), folder)
	files := make([]string, len(requirements))
	var missing []string
	for i, r := range requirements {
		if files[i] = wheelIn(t, filepath.Join(cache, r)); files[i] == "" {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		return files
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(cache, ".new-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	args := append([]string{"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", dir}, flags...)
	if out, err := exec.CommandContext(t.Context(), python, append(args, missing...)...).CombinedOutput(); err != nil {
		Missing(t, "pip cannot download %s: %v\n%s", strings.Join(missing, " "), err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]string{}
	for _, f := range found {
		name, _, _ := strings.Cut(filepath.Base(f), "-")
		byName[normalized(name)] = f
	}
	for i, r := range requirements {
		if files[i] != "" {
			continue
		}
		name, _, _ := strings.Cut(r, "==")
		f := byName[normalized(name)]
		if f == "" {
			t.Fatalf("pip downloaded %q for %q, and not %s", found, missing, r)
		}
		files[i] = filepath.Join(cache, r, filepath.Base(f))
		if err := os.MkdirAll(filepath.Dir(files[i]), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f, files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// wheelIn is the one wheel in a directory, "" if there is none.
func wheelIn(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(found) > 1 {
		t.Fatalf("wheels in %s: %q, %v", dir, found, err)
	}
	return strings.Join(found, "")
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalized is the one spelling of a package's name.
func normalized(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }
