package testwheel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Missing says that a test has nothing to compare with: it is skipped, or fails where CI or VPK_TEST_REQUIRE is set.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("VPK_TEST_REQUIRE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

// Python is the interpreter that differential tests compare with: VPK_TEST_PYTHON or python3 of PATH, able to import
// the named modules. Without one the test is Missing it.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	python := os.Getenv("VPK_TEST_PYTHON")
	if python == "" {
		var err error
		if python, err = exec.LookPath("python3"); err != nil {
			Missing(t, "neither VPK_TEST_PYTHON nor python3 in PATH")
		}
	}
	for _, m := range modules {
		if out, err := exec.CommandContext(t.Context(), python, "-c", "import "+m).CombinedOutput(); err != nil {
			Missing(t, "%s cannot import %q (set VPK_TEST_PYTHON): %v\n%s", python, m, err, out)
		}
	}
	return python
}

// Wheels are real wheels for CPython 3.11 on x86_64, got with pip: files named by requirements such as "idna==3.10".
// They stay in VPK_TEST_CACHE, if that is set, for the next time.
func Wheels(t testing.TB, requirements ...string) []string {
	t.Helper()
	python := Python(t, "pip")
	cache := os.Getenv("VPK_TEST_CACHE")
	if cache == "" {
		cache = t.TempDir()
	}
	var files []string
	for _, r := range requirements {
		dir := filepath.Join(cache, "wheels", r)
		found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
		if err == nil && len(found) == 0 {
			cmd := exec.CommandContext(t.Context(), python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
				"--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64", "--dest", dir, r)
			if out, err := cmd.CombinedOutput(); err != nil {
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
