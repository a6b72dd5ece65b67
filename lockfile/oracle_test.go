package lockfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/wheel/tag"
)

// oracle asks uv what it would install from a lock.
type oracle struct {
	uv, home string
	// pythons are interpreters by version.
	pythons map[string]string
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	return &oracle{uv: peer.UV(t), home: t.TempDir(), pythons: map[string]string{}}
}

// python makes a program that answers uv's questions as the Python it is told to be ("3.13.0"), so that uv selects for a
// Python that is not installed. It is good for nothing else.
func (o *oracle) python(t testing.TB, version string) string {
	t.Helper()
	if path, ok := o.pythons[version]; ok {
		return path
	}
	real := peer.Python(t)
	was := peer.PythonVersion(t, real)
	short := func(v string) string { return strings.Join(strings.SplitN(v, ".", 3)[:2], ".") }
	script := fmt.Sprintf(`#!%s -I
import subprocess, sys
done = subprocess.run([%q, *sys.argv[1:]], stdout=subprocess.PIPE)
sys.stdout.write(done.stdout.decode().replace(%q, %q).replace(%q, %q))
sys.exit(done.returncode)
`, real, real, was, version, short(was), short(version))
	path := filepath.Join(o.home, "python-"+version)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o.pythons[version] = path
	return path
}

// command is `uv sync` for the lock in a directory, which it does not change.
func (o *oracle) command(t testing.TB, dir string, target tag.Target, flags ...string) *exec.Cmd {
	t.Helper()
	args := []string{
		"sync", "--frozen", "--offline", "--no-config", "--color", "never", "--cache-dir", filepath.Join(o.home, "offline"),
		"--python", o.python(t, target.Python.String()),
		"--python-platform", fmt.Sprintf("%s-manylinux_%d_%d", target.Arch, target.Glibc.Major, target.Glibc.Minor),
	}
	cmd := exec.Command(o.uv, append(args, flags...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "UV_PROJECT_ENVIRONMENT="+filepath.Join(o.home, "venv"), "UV_PYTHON_DOWNLOADS=never")
	return cmd
}

// packages are "name version" of what uv would install, sorted, or its error.
func (o *oracle) packages(t testing.TB, dir string, target tag.Target, flags ...string) ([]string, error) {
	t.Helper()
	report := []string{"--dry-run", "--output-format", "json", "--preview-features", "json-output"}
	cmd := o.command(t, dir, target, append(report, flags...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	var r struct {
		Sync struct {
			Changes []struct{ Name, Version string }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("read the report of uv: %v\n%s", err, stdout.Bytes())
	}
	packages := []string{}
	for _, c := range r.Sync.Changes {
		packages = append(packages, strings.TrimSpace(c.Name+" "+c.Version))
	}
	slices.Sort(packages)
	return packages, nil
}

var wantedFile = regexp.MustCompile("cache\\s+for:\\s+`([^`]+)`")

// file is the URL of the file of a package that uv would install, as it says when the file is not in its cache.
func (o *oracle) file(t testing.TB, dir string, target tag.Target, name string, flags ...string) string {
	t.Helper()
	cmd := o.command(t, dir, target, append([]string{"--only-install-package", name}, flags...)...)
	output, err := cmd.CombinedOutput()
	found := wantedFile.FindSubmatch(output)
	if err == nil || found == nil {
		t.Fatalf("uv did not ask for a file of %s: %v\n%s", name, err, output)
	}
	return string(found[1])
}
