package pep440

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vpk/internal/testwheel"
)

// inFull reports whether the comparisons were asked for in full, VPK_PROOF=1,
// and not as a sample.
func inFull() bool { return os.Getenv("VPK_PROOF") == "1" }

//go:embed testdata/oracle.py
var oracleScript string

// askPackaging runs testdata/oracle.py once, with q as JSON on its standard
// input, and reads its answer.
func askPackaging(t *testing.T, q question) (a answer) {
	t.Helper()
	python := testwheel.Python(t, "packaging")
	if v := output(t, exec.Command(python, "-c", "import packaging; print(packaging.__version__)")); v != "26.3" {
		absent(t, "%s has packaging %s, and its version 26.3 is what is compared with", python, v)
	}
	input, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", oracleScript)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "PYTHONWARNINGS=ignore")
	cmd.Stdin = bytes.NewReader(input)
	if err := json.Unmarshal([]byte(output(t, cmd)), &a); err != nil {
		t.Fatalf("read the oracle's answer: %v", err)
	}
	return a
}

// uvProgram gives the uv to compare with: VPK_TEST_UV, or uv of PATH.
func uvProgram(t *testing.T) string {
	t.Helper()
	uv := os.Getenv("VPK_TEST_UV")
	if uv == "" {
		var err error
		if uv, err = exec.LookPath("uv"); err != nil {
			absent(t, "no uv: neither VPK_TEST_UV nor in PATH")
		}
	}
	if v := output(t, exec.Command(uv, "--version")); !strings.HasPrefix(v+" ", "uv 0.11.8 ") {
		absent(t, "%s is %s, and uv 0.11.8 is what is compared with", uv, v)
	}
	return uv
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// absent ends a test whose peer is not here.
func absent(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("VPK_TEST_REQUIRE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("NOT COMPARED: "+format, args...)
}
