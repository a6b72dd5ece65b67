// Package peer finds what tests compare vpk with and stand on: uv, CPython, packaging, the tools that read images, Docker,
// base images, real wheels. It also has what such comparisons share. Only tests import it.
//
// Where it looks. A program NAME is VPK_TEST_NAME, an absolute path, or in PATH; a base image is an OCI layout that
// VPK_TEST_BASE12 and the like name; what tests download stays in VPK_TEST_CACHE. testdata/setup-tests gets all of them and
// writes these variables to a file. Of uv and packaging only the versions that testdata/setup-tools pins count: their
// answers change between versions.
//
// A test whose peer is not here is skipped and says so; where CI or VPK_TEST_REQUIRE is set, it fails.
//
// Not done: nothing is installed, and no program is looked for in other places.
package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The versions to compare with, which testdata/setup-tools installs.
const (
	uvVersion        = "0.11.8"
	packagingVersion = "26.3"
)

// Missing ends a test that lacks what it compares with or works on: skipped, or failed where CI or VPK_TEST_REQUIRE is set.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if required() {
		t.Fatalf(format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

func required() bool { return os.Getenv("CI") != "" || os.Getenv("VPK_TEST_REQUIRE") != "" }

// InFull reports whether comparisons were asked for in full, by VPK_PROOF=1, and not as a sample.
func InFull() bool { return os.Getenv("VPK_PROOF") == "1" }

// Tool is the path of a program, such as "crane".
func Tool(t testing.TB, name string) string {
	t.Helper()
	return find(t, "VPK_TEST_"+strings.ToUpper(name), name)
}

func find(t testing.TB, variable, name string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "no %s: %s is not set, and it is not in PATH", name, variable)
	}
	return path
}

// UV is uv, in the pinned version.
func UV(t testing.TB) string {
	t.Helper()
	uv := Tool(t, "uv")
	if said := Output(t, exec.CommandContext(t.Context(), uv, "--version")); !strings.HasPrefix(strings.TrimSpace(said)+" ", "uv "+uvVersion+" ") {
		Missing(t, "%s is %q, and uv %s is what is compared with", uv, said, uvVersion)
	}
	return uv
}

// Lock has uv resolve the project in a directory, without an index and the user's configuration, and returns the uv.lock that
// it writes there. Settings of [tool.uv] that are uv's and not the project's have to be flags.
func Lock(t testing.TB, dir string, flags ...string) []byte {
	t.Helper()
	args := []string{"lock", "--offline", "--no-cache", "--no-config", "--no-index", "--python", Python(t)}
	cmd := exec.CommandContext(t.Context(), UV(t), append(args, flags...)...)
	cmd.Dir = dir
	Output(t, cmd)
	lock, err := os.ReadFile(filepath.Join(dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// Docker is Docker's command line, with an engine behind it.
func Docker(t testing.TB) string {
	t.Helper()
	docker := Tool(t, "docker")
	if out, err := exec.CommandContext(t.Context(), docker, "version").CombinedOutput(); err != nil {
		Missing(t, "docker has no engine: %v: %s", err, out)
	}
	return docker
}

// Base is the directory of the OCI layout of a base image: "BASE12" is a stand-in for the distroless image of Debian 12 for
// the host's platform, "BASE12_DEBUG" one with a shell, "BASE12_MULTI" one for amd64 and arm64, "BASE13" one of Debian 13.
func Base(t testing.TB, name string) string {
	t.Helper()
	dir := LookupBase(t, name)
	if dir == "" {
		Missing(t, "no base image: VPK_TEST_%s is not set", name)
	}
	return dir
}

// LookupBase is Base for a test that can do something without it: "" if there is none and there need not be.
func LookupBase(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("VPK_TEST_" + name)
	if dir == "" && required() {
		t.Fatalf("no base image: VPK_TEST_%s is not set", name)
	}
	return dir
}

// CacheDir is where downloads stay for the next run: VPK_TEST_CACHE, or the fallback where that is not set.
func CacheDir(fallback string) string {
	if dir := os.Getenv("VPK_TEST_CACHE"); dir != "" {
		return dir
	}
	return fallback
}

// Output runs a program, which must succeed, and returns its standard output as it is.
func Output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, &stderr)
	}
	return string(out)
}
