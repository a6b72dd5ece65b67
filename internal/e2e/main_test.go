package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"vpk/internal/peer"
)

// run is what the tests of one run share; made before the first and never changed.
var run struct {
	dir    string // scratch, removed at the end
	vpk    string // the program
	cache  string // the warm cache of vpk
	wheels *wheelhouse
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("-short: no end-to-end tests")
		return
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	syscall.Umask(0o022) // others must be able to read what is made here
	if run.dir, err = os.MkdirTemp("", "vpk-e2e-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(run.dir)) }()
	if err := os.Chmod(run.dir, 0o755); err != nil {
		return 0, err
	}
	run.cache = filepath.Join(run.dir, "cache")
	run.vpk = filepath.Join(run.dir, "bin", "vpk")
	build := exec.Command("go", "build", "-trimpath", "-o", run.vpk, "vpk/cmd/vpk")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build vpk: %w\n%s", err, out)
	}
	if run.wheels, err = newWheelhouse(keep("wheels")); err != nil {
		return 0, err
	}
	defer run.wheels.Close()
	return m.Run(), nil
}

// keep is a directory that outlives the run where VPK_TEST_CACHE is set.
func keep(name string) string { return filepath.Join(peer.CacheDir(run.dir), "e2e", name) }
