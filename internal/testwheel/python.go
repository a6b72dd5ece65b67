package testwheel

import (
	"os"
	"os/exec"
	"testing"
)

// Python is the interpreter that differential tests compare with: VPK_TEST_PYTHON or python3 of PATH, able to import
// the named modules. Without one the test is skipped, or fails where CI or VPK_TEST_REQUIRE is set.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	lack := t.Skipf
	if os.Getenv("CI") != "" || os.Getenv("VPK_TEST_REQUIRE") != "" {
		lack = t.Fatalf
	}
	python := os.Getenv("VPK_TEST_PYTHON")
	if python == "" {
		var err error
		if python, err = exec.LookPath("python3"); err != nil {
			lack("NO PYTHON: neither VPK_TEST_PYTHON nor python3: nothing to compare with")
		}
	}
	for _, m := range modules {
		if out, err := exec.CommandContext(t.Context(), python, "-c", "import "+m).CombinedOutput(); err != nil {
			lack("%s cannot import %q, nothing to compare with (set VPK_TEST_PYTHON): %v\n%s", python, m, err, out)
		}
	}
	return python
}
