// Package oracle lets tests ask the programs whose answers the lockfile rooms
// have to give: Python's packaging, and uv. Only tests import it.
//
// The programs are named by VPK_TEST_PYTHON (a Python with packaging 26.3) and
// VPK_TEST_UV (uv 0.11.8), or else looked up in PATH. Without them, or with
// other versions, the test is skipped, unless CI or VPK_TEST_REQUIRE is set,
// when it fails.
package oracle

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The versions whose answers are frozen.
const (
	packagingVersion = "26.3"
	uvVersion        = "uv 0.11.8"
)

// Full reports whether the proof was asked for in full: VPK_PROOF=1.
func Full() bool { return os.Getenv("VPK_PROOF") == "1" }

// Packaging runs a Python script once, with in as JSON on its standard input,
// and reads its standard output into out.
func Packaging(t testing.TB, script string, in, out any) {
	t.Helper()
	python := find(t, "VPK_TEST_PYTHON", "python3")
	got, err := exec.Command(python, "-c", "import packaging; print(packaging.__version__)").Output()
	if v := strings.TrimSpace(string(got)); err != nil || v != packagingVersion {
		absent(t, "%s has packaging %q (%v), not %s", python, v, err, packagingVersion)
	}
	input, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "PYTHONWARNINGS=ignore")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", python, err, stderr.Bytes())
	}
	if err := json.Unmarshal(output, out); err != nil {
		t.Fatalf("read the answer of %s: %v", python, err)
	}
}

// UV gives the path of uv.
func UV(t testing.TB) string {
	t.Helper()
	uv := find(t, "VPK_TEST_UV", "uv")
	got, err := exec.Command(uv, "--version").Output()
	if v := strings.TrimSpace(string(got)); err != nil || v != uvVersion && !strings.HasPrefix(v, uvVersion+" ") {
		absent(t, "%s is %q (%v), not %s", uv, v, err, uvVersion)
	}
	return uv
}

func find(t testing.TB, variable, name string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, "no %s: %v", name, err)
	}
	return path
}

// absent ends a test that can't be run here.
func absent(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("VPK_TEST_REQUIRE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("NOT TESTED against the real thing: "+format, args...)
}
