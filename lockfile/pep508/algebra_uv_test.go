package pep508

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"vpk/internal/peer"
)

// lockOf is the lock that uv writes for a project without dependencies, with
// the given lines in [tool.uv].
func lockOf(t *testing.T, python string, lines ...string) (lock struct {
	RequiredMarkers []string `toml:"required-markers"`
	Manifest        struct {
		Constraints []struct{ Name, Marker string }
	}
}) {
	t.Helper()
	dir := t.TempDir()
	project := fmt.Sprintf("[project]\nname = \"project\"\nversion = \"1\"\nrequires-python = %q\n[tool.uv]\npackage = false\n%s\n",
		python, strings.Join(lines, "\n"))
	if err := os.WriteFile(filepath.Join(dir, "pyproject.toml"), []byte(project), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := toml.Unmarshal(peer.Lock(t, dir), &lock); err != nil {
		t.Fatal(err)
	}
	return lock
}

// written gives the condition of a marker as uv writes it, whose spelling of
// False reads as Python versions before 0.
func written(t *testing.T, a *Algebra, s string) Condition {
	t.Helper()
	if s == "python_version < '0'" {
		return False
	}
	return of(t, a, s)
}

// differOnlyWhereExcluded reports whether two conditions are the same but for
// environments that uv knows there are none of.
func differOnlyWhereExcluded(a *Algebra, x, y Condition) bool {
	difference := a.either(a.meet(x, y.Not(), naive), a.meet(y, x.Not(), naive))
	return difference == False || a.isBanned(difference)
}

func tomlList(t *testing.T, key string, list []string) string {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return key + " = " + string(text)
}

// variant gives a marker that means the same as s, or nearly so.
func variant(r *rand.Rand, s string) string {
	other := randomLockable(r, 1, true)
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("(%s) and ((%s) or (%s))", s, other, s)
	case 1:
		return fmt.Sprintf("((%s) and os_name == 'b') or (os_name != 'b' and (%s))", s, s)
	case 2:
		return fmt.Sprintf("((%s) or python_version < '3.11') and ((%s) or python_version >= '3.11')", s, s)
	case 3:
		return fmt.Sprintf("(%s) or ((%s) and (%s))", s, s, other)
	}
	return fmt.Sprintf("(%s) or (%s and implementation_name == 'q')", s, other)
}

// TestConditionsLikeUV has uv write many markers in its canonical form: two of
// them are the same text exactly if their conditions are the same.
func TestConditionsLikeUV(t *testing.T) {
	pairs := 1000
	if peer.InFull() {
		pairs = 15_000
	}
	r := rand.New(rand.NewPCG(19, 118))
	constraints := make([]string, 2*pairs)
	markers := make([]string, 2*pairs)
	for i := range pairs {
		markers[2*i] = randomLockable(r, 2, true)
		markers[2*i+1] = variant(r, markers[2*i])
	}
	for i, m := range markers {
		constraints[i] = fmt.Sprintf("c%d>=1 ; %s", i, m)
	}
	lock := lockOf(t, ">=3.8", tomlList(t, "constraint-dependencies", constraints))
	byName := map[string]string{}
	for _, c := range lock.Manifest.Constraints {
		byName[c.Name] = c.Marker
	}
	a := NewAlgebra()
	same, missed := 0, 0
	for i := range pairs {
		var conditions [2]Condition
		var texts [2]string
		clean := true
		for j := range 2 {
			text, ok := byName[fmt.Sprintf("c%d", 2*i+j)]
			if !ok {
				t.Fatalf("uv did not write %q", constraints[2*i+j])
			}
			texts[j], conditions[j] = text, of(t, a, markers[2*i+j])
			if again := written(t, a, text); again != conditions[j] {
				clean = false
				missed++
				if !differOnlyWhereExcluded(a, again, conditions[j]) {
					t.Errorf("%q: uv writes %q, which is another condition", markers[2*i+j], text)
				}
			}
		}
		if clean && (texts[0] == texts[1]) != (conditions[0] == conditions[1]) {
			t.Errorf("%q and %q: the same condition %t; uv writes %q and %q", markers[2*i], markers[2*i+1],
				conditions[0] == conditions[1], texts[0], texts[1])
		}
		if conditions[0] == conditions[1] {
			same++
		}
	}
	t.Logf("%d pairs, %d of them of one condition; %d markers differ where excluded values meet", pairs, same, missed)
}

// TestSimplifyLikeUV has uv simplify markers by ranges of Python: it does so
// with required environments. They must be disjoint, which platform_release makes them.
func TestSimplifyLikeUV(t *testing.T) {
	count := 150
	if peer.InFull() {
		count = 2500
	}
	r := rand.New(rand.NewPCG(20, 118))
	for _, python := range []string{">=3.8", ">=3.10,<3.13", ">3.9.7", "==3.11.*", ">=3.9,!=3.10.*,<=3.12.4"} {
		markers := make([]string, count)
		for i := range markers {
			m := randomLockable(r, 2, false)
			for strings.Contains(m, "platform_release") {
				m = randomLockable(r, 2, false)
			}
			markers[i] = fmt.Sprintf("platform_release == 'r%d' and (%s)", i, m)
		}
		lock := lockOf(t, python, tomlList(t, "required-environments", markers))
		if len(lock.RequiredMarkers) != count {
			t.Fatalf("%q: uv wrote %d of %d markers", python, len(lock.RequiredMarkers), count)
		}
		a := NewAlgebra()
		lower, upper := bounds(t, python)
		changed := 0
		for i, m := range markers {
			full := of(t, a, m)
			got, want := a.Simplify(full, lower, upper), written(t, a, lock.RequiredMarkers[i])
			if !differOnlyWhereExcluded(a, got, want) {
				t.Errorf("%q for %q: uv writes %q", m, python, lock.RequiredMarkers[i])
			}
			if got != full {
				changed++
			}
		}
		t.Logf("%s: %d markers, %d of them changed", python, count, changed)
	}
}
