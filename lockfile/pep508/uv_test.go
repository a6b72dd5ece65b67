package pep508

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// randomLockable gives a marker of the forms that uv writes into a lock: no
// comparison in it is one that uv ignores or reads as another one.
func randomLockable(r *rand.Rand, depth int, withExtras bool) string {
	if depth > 0 && r.IntN(3) > 0 {
		parts := make([]string, 2+r.IntN(2))
		for i := range parts {
			parts[i] = randomLockable(r, depth-1, withExtras)
			if strings.Contains(parts[i], " or ") {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, pick(r, " and ", " or "))
	}
	kinds := 2
	if withExtras {
		kinds = 3
	}
	switch r.IntN(kinds) {
	case 0:
		v := pick(r, "python_full_version", "python_version", "implementation_version")
		value := pick(r, "3.9", "3.10", "3.11", "3.11.0", "3.11.2", "3.11.7", "3.12", "3.13.1", "3")
		op := pick(r, "==", "!=", "<", "<=", ">", ">=", "~=")
		switch {
		case op == "~=" && value == "3":
			op = ">="
		case (op == "==" || op == "!=") && strings.Count(value, ".") < 2 && r.IntN(2) == 0:
			value += ".*" // with three numbers uv takes python_version != '3.9.1.*' for false
		}
		return v + " " + op + " '" + value + "'"
	case 2:
		return "extra" + pick(r, " == ", " != ") + pick(r, "'extra-3-foo-cpu'", "'group-3-foo-dev'", "'project-3-foo'")
	}
	v := pick(r, "os_name", "sys_platform", "platform_machine", "platform_system", "platform_release", "platform_version", "platform_python_implementation", "implementation_name")
	value := "'" + pick(r, "posix", "nt", "linux", "win32", "x86_64", "aarch64", "Linux", "Windows", "5.15", "CPython", "cpython", "a", "z") + "'"
	switch r.IntN(6) {
	case 0:
		return value + pick(r, " in ", " not in ") + v
	case 1:
		return v + pick(r, " in ", " not in ") + value
	}
	return v + pick(r, " == ", " == ", " != ", " < ", " <= ", " > ", " >= ") + value
}

// TestEvaluatesLikeUV asks uv pip compile which of many requirements apply on
// the Python at hand.
func TestEvaluatesLikeUV(t *testing.T) {
	uv, python := peer.UV(t), peer.Python(t)
	count := 150
	if peer.InFull() {
		count = 3000
	}
	full := peer.PythonVersion(t, python)
	minor := strings.Join(strings.SplitN(full, ".", 3)[:2], ".")
	env := linux(minor, full, "x86_64")

	dir := t.TempDir()
	r := rand.New(rand.NewPCG(508, 118))
	markers := make([]string, count)
	var requirements strings.Builder
	for i := range markers {
		markers[i] = randomLockable(r, 2, false) // compile takes no extra for granted at the root, not even by !=
		wheel := testwheel.New(fmt.Sprintf("p%d", i), "1")
		if err := os.WriteFile(filepath.Join(dir, wheel.Filename()), wheel.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&requirements, "p%d ; %s\n", i, markers[i])
	}
	cmd := exec.Command(uv, "pip", "compile", "-q", "--offline", "--no-cache", "--no-index", "--find-links", ".", "--no-header", "--no-annotate",
		"--python", python, "--python-platform", "x86_64-manylinux_2_36", "-")
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(requirements.String())
	applies := map[string]bool{}
	for line := range strings.Lines(peer.Output(t, cmd)) {
		name, _, _ := strings.Cut(line, "==")
		applies[strings.TrimSpace(name)] = true
	}
	for i, s := range markers {
		m, err := ParseMarker(s)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := applies[fmt.Sprintf("p%d", i)]; m.Evaluate(env, nil) != want {
			t.Errorf("%q on Python %s: %t, uv says %t", s, full, !want, want)
		}
	}
	t.Logf("%d markers, %d of them true", count, len(applies))
}

// TestReadsWhatUVWrites has uv write many markers in its canonical form: they
// have to survive reading and printing byte by byte, and to mean what the
// original does.
func TestReadsWhatUVWrites(t *testing.T) {
	count := 500
	if peer.InFull() {
		count = 20000
	}
	r := rand.New(rand.NewPCG(751, 118))
	markers := make([]string, count)
	constraints := make([]string, count)
	for i := range markers {
		markers[i] = randomLockable(r, 2, true)
		constraints[i] = fmt.Sprintf("c%d>=1 ; %s", i, markers[i])
	}
	lock := lockOf(t, ">=3.8", tomlList(t, "constraint-dependencies", constraints))
	written := map[string]string{}
	for _, c := range lock.Manifest.Constraints {
		written[c.Name] = c.Marker
	}
	if len(written) != count {
		t.Fatalf("uv wrote %d of %d constraints", len(written), count)
	}
	extras := []string{"", "extra-3-foo-cpu", "group-3-foo-dev", "project-3-foo"}
	trivial := 0
	for i, s := range markers {
		canonical := written[fmt.Sprintf("c%d", i)]
		original, err := ParseMarker(s)
		if err != nil {
			t.Error(err)
			continue
		}
		var m Marker
		if canonical == "" {
			trivial++
		} else if m, err = ParseMarker(canonical); err != nil {
			t.Error(err)
			continue
		}
		if m.String() != canonical {
			t.Errorf("uv writes   %s\nprinted as %s", canonical, m)
		}
		for k, e := range environments {
			if strings.HasPrefix(e.env.PythonFullVersion, e.env.ImplementationVersion) && strings.ContainsAny(e.env.ImplementationVersion, "abr") {
				continue // implementation_version is no release: uv and packaging differ, and no lock that is true of releases tells
			}
			active := func(name string) bool { return name == extras[k%len(extras)] }
			if got, want := m.Evaluate(e.env, active), original.Evaluate(e.env, active); got != want {
				t.Errorf("environment %d: %q is %t, as uv writes it, %q, %t", k, s, want, canonical, got)
			}
		}
	}
	t.Logf("%d markers, %d of them always true", count, trivial)
}
