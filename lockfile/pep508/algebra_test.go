package pep508

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpk/internal/peer"
	"vpk/lockfile/pep440"
)

func of(t testing.TB, a *Algebra, s string) Condition {
	t.Helper()
	if s == "" {
		return True
	}
	m, err := ParseMarker(s)
	if err != nil {
		t.Fatal(err)
	}
	return a.Of(m)
}

// equivalent markers, in sets of the same meaning.
var equivalent = [][]string{
	{"", "'a' == 'a'", "os_name == 'a' or os_name != 'a'", "python_version >= '3.8' or python_version < '3.8'", "python_version != '3.9.1'", "python_version not in ''"},
	{"python_version < '0' and python_version >= '0'", "os_name == 'a' and os_name == 'b'", "extra == 'a b'", "extra != 'a b'", "python_version == '3.9.1'", "python_version == '3.9.1.*'", "python_version != '3.9.1.*'", "python_version ~= '3.9.1'", "python_version in ''"},
	{"python_version == '3.9'", "python_full_version == '3.9.*'", "python_full_version >= '3.9' and python_full_version < '3.10.0'", "python_version == '3.9.0'", "'3.9' == python_version", "python_version in '3.9'", "python_version ~= '3.9.0'", "python_version == '3.9.*'", "python_version == '3.9.0.*'"},
	{"python_version != '3.9'", "python_full_version != '3.9.*'", "python_version not in '3.9'", "python_version < '3.9' or python_version > '3.9'"},
	{"python_version > '3.9'", "python_full_version >= '3.10'", "python_version >= '3.9.1'", "python_version > '3.9.1'", "'3.9' < python_version"},
	{"python_version <= '3.9'", "python_full_version < '3.10'", "python_version < '3.9.1'", "python_version <= '3.9.1'"},
	{"python_version >= '3'", "python_full_version >= '3.0'", "python_full_version >= '3.0.0rc1'", "python_version >= '3.0' and 'a' == 'b'"},
	{"python_version ~= '3.8'", "python_full_version >= '3.8' and python_full_version < '4'", "python_version == '3.*' and python_version >= '3.8'"},
	{"python_version == '3.*'", "python_version >= '3' and python_version < '4'"},
	{"python_version in '3.8 3.10'", "python_version == '3.10' or python_version == '3.8'", "python_full_version == '3.8.*' or python_version == '3.10.*'"},
	{"python_full_version in '3.8 3.10.1'", "python_full_version == '3.8.0' or python_full_version == '3.10.1'"},
	{"implementation_version >= '7.3'", "implementation_version >= '7.3.0rc1'"},
	{"sys_platform == 'win32'", "platform_system == 'Windows'", "sys.platform == 'win32'", "'win32' == sys_platform", "platform_system != 'Darwin' and platform_system == 'Windows'"},
	{"sys_platform >= 'a'", "'a' <= sys_platform", "sys_platform == 'a' or sys_platform > 'a'", "sys_platform > 'b' or (sys_platform >= 'a' and sys_platform <= 'b')"},
	{"'x' in platform_release", "'x' in platform_release and platform_release ~= 'y'"},
	{"platform_release in 'x'", "platform_release in 'x' and platform_release == python_version"},
	{"platform_release == 'x'", "platform_release in 'x' and platform_release == 'x' or platform_release not in 'x' and platform_release == 'x'"},
	{"os_name == 'nt' and sys_platform == 'linux'", "platform_system == 'FreeBSD' and platform_system == 'Linux'", "python_version < '0' and python_version > '0'", "os_name == 'nt' and (sys_platform == 'linux' or sys_platform == 'darwin') and extra == 'x'"},
	{"extra == 'b_c'", "extra == 'B.C'", "'b-c' == extra"},
}

func TestEquivalentMarkers(t *testing.T) {
	a := NewAlgebra()
	seen := map[Condition]string{}
	for _, set := range equivalent {
		want := of(t, a, set[0])
		for _, s := range set[1:] {
			if of(t, a, s) != want {
				t.Errorf("%q and %q: not the same condition", set[0], s)
			}
		}
		if other, ok := seen[want]; ok && want != False {
			t.Errorf("%q and %q: the same condition", set[0], other)
		}
		seen[want] = set[0]
	}
}

func TestRelations(t *testing.T) {
	const posix = "os_name == 'posix'"
	for _, c := range []struct {
		a, b              string
		disjoint, implied bool
	}{
		{"", "os_name == 'a'", false, false},
		{"os_name == 'a'", "", false, true},
		{"os_name == 'a'", "os_name != 'b'", false, true},
		{"os_name == 'a'", "os_name == 'b'", true, false},
		{"python_version >= '3.10'", "python_full_version > '3.9.7'", false, true},
		{"python_version >= '3.10'", "python_full_version < '3.9.7'", true, false},
		{"python_version < '3.10'", "python_full_version > '3.9.7'", false, false},
		{"'nux' in sys_platform", "sys_platform == 'win32'", false, false},
		{"'nux' in sys_platform", "'nux' not in sys_platform", true, false},
		{"sys_platform == 'win32'", posix, true, false},
		{"sys_platform == 'win32' and extra == 'a'", "platform_system == 'SunOS' and extra == 'a'", true, false},
		{"extra == 'a' and extra == 'b'", "extra == 'a'", false, true},
		{"extra == 'a'", "extra != 'a'", true, false},
	} {
		a := NewAlgebra()
		x, y := of(t, a, c.a), of(t, a, c.b)
		if a.Disjoint(x, y) != c.disjoint || a.Disjoint(y, x) != c.disjoint || a.Implies(x, y) != c.implied {
			t.Errorf("%q and %q: disjoint %t, implied %t", c.a, c.b, a.Disjoint(x, y), a.Implies(x, y))
		}
	}
}

func bounds(t testing.TB, s string) (lower, upper pep440.Bound) {
	t.Helper()
	specifiers, err := pep440.ParseSpecifiers(s)
	if err != nil {
		t.Fatal(err)
	}
	lower, upper, ok := specifiers.Bounds()
	if !ok {
		t.Fatalf("%q holds for nothing", s)
	}
	return lower, upper
}

func TestSimplify(t *testing.T) {
	for _, c := range []struct{ python, marker, want string }{
		{">=3.8", "python_version >= '3.8' and python_version < '3.10'", "python_version < '3.10'"},
		{">=3.8", "python_version >= '3.8'", ""},
		{">=3.8", "python_full_version > '3.8'", "python_full_version > '3.8'"},
		{">3.8", "python_full_version > '3.8'", ""},
		{">3.8", "python_full_version >= '3.8'", ""},
		{">=3.8,<4", "python_version < '4' and os_name == 'a'", "os_name == 'a'"},
		{">=3.8,<4", "python_version >= '4' and os_name == 'a'", "python_version < '0' and python_version > '0'"},
		{"<=3.8", "python_full_version <= '3.8'", ""},
		{"<3.8", "python_full_version <= '3.8'", ""},
		{"==3.8", "python_full_version == '3.8.0'", ""},
		{"", "python_version >= '3.8'", "python_version >= '3.8'"},
		{">=3.8", "python_version >= '3.9' or (python_version >= '3.8' and os_name == 'a')", "python_version >= '3.9' or os_name == 'a'"},
	} {
		a := NewAlgebra()
		lower, upper := bounds(t, c.python)
		if got := a.Simplify(of(t, a, c.marker), lower, upper); got != of(t, a, c.want) {
			t.Errorf("%q for %q is not %q", c.marker, c.python, c.want)
		}
	}
	a := NewAlgebra()
	lower, _ := bounds(t, ">=3.9")
	_, upper := bounds(t, "<3.8")
	if a.Simplify(True, lower, upper) != False {
		t.Error("True for no version is not False")
	}
}

func TestExtras(t *testing.T) {
	a := NewAlgebra()
	c := of(t, a, "(os_name == 'a' and extra == 'x') or (os_name == 'b' and extra != 'x' and extra == 'y')")
	if got := a.WithoutExtras(c); got != of(t, a, "os_name == 'a' or os_name == 'b'") {
		t.Error("without extras")
	}
	if got := a.OnlyExtras(c); got != of(t, a, "extra == 'x' or extra == 'y'") {
		t.Error("only extras")
	}
	for active, want := range map[bool]string{true: "os_name == 'a'", false: "os_name == 'b' and extra == 'y'"} {
		got := a.AssumeExtras(c, func(name string) (bool, bool) { return active, name == "x" })
		if got != of(t, a, want) {
			t.Errorf("with x %t: not %q", active, want)
		}
	}
}

// free draws markers whose values do not exclude one another by what uv knows:
// for them, conditions are a boolean algebra.
var free = rapid.Custom(func(t *rapid.T) Marker {
	for seed := rapid.Uint64().Draw(t, "seed"); ; seed++ {
		s := randomMarker(rand.New(rand.NewPCG(seed, 1)), 2)
		if strings.Contains(s, "sys") { // sys_platform, platform_system
			continue
		}
		if m, err := ParseMarker(s); err == nil {
			return m
		}
	}
})

func TestBooleanAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewAlgebra()
		x, y, z := a.Of(free.Draw(t, "x")), a.Of(free.Draw(t, "y")), a.Of(free.Draw(t, "z"))
		for law, equal := range map[string]bool{
			"commutative":   a.And(x, y) == a.And(y, x) && a.Or(x, y) == a.Or(y, x),
			"associative":   a.And(a.And(x, y), z) == a.And(x, a.And(y, z)) && a.Or(a.Or(x, y), z) == a.Or(x, a.Or(y, z)),
			"distributive":  a.And(x, a.Or(y, z)) == a.Or(a.And(x, y), a.And(x, z)),
			"absorbing":     a.And(x, a.Or(x, y)) == x && a.Or(x, a.And(x, y)) == x,
			"complementary": a.And(x, x.Not()) == False && a.Or(x, x.Not()) == True && x.Not().Not() == x,
			"De Morgan's":   a.And(x, y).Not() == a.Or(x.Not(), y.Not()),
			"neutral":       a.And(x, True) == x && a.Or(x, False) == x && a.And(x, False) == False && a.Or(x, True) == True,
			"disjoint":      a.Disjoint(x, y) == (a.And(x, y) == False),
			"implied":       a.Implies(x, y) == (a.And(x, y) == x),
		} {
			if !equal {
				t.Fatalf("not %s", law)
			}
		}
	})
}

var ranges = rapid.Custom(func(t *rapid.T) pep440.Specifiers {
	s := rapid.SampledFrom([]string{">=3.8", ">=3.10", ">3.9", "<3.12", "<=3.11.2", ">=3.9,<3.13", "==3.11.*", ">=3.8,!=3.10.*", ""}).Draw(t, "python")
	specifiers, _ := pep440.ParseSpecifiers(s)
	return specifiers
})

// TestSimplifyComplexify: within the range a simplified condition is the same,
// simplifying more changes nothing, and what it means is what it meant.
func TestSimplifyComplexify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewAlgebra()
		x, y := a.Of(free.Draw(t, "x")), a.Of(free.Draw(t, "y"))
		lower, upper, _ := ranges.Draw(t, "range").Bounds()
		simple, full := a.Simplify(x, lower, upper), a.Complexify(x, lower, upper)
		if a.Complexify(simple, lower, upper) != full || a.Simplify(full, lower, upper) != simple || a.Simplify(simple, lower, upper) != simple {
			t.Fatal("not inverse")
		}
		if same := a.Complexify(y, lower, upper) == full; same != (a.Simplify(y, lower, upper) == simple) {
			t.Fatal("two conditions are the same simplified and not complexified, or the reverse")
		}
	})
}

// TestConditionsEvaluate: in environments that there are, a condition has the
// truth of its marker, through conjunctions, negations and exclusions.
func TestConditionsEvaluate(t *testing.T) {
	count := 4000
	if peer.InFull() {
		count = 100_000
	}
	r := rand.New(rand.NewPCG(508, 7))
	a := NewAlgebra()
	for range count {
		s, other := randomLockable(r, 2, true), randomLockable(r, 2, true)
		m, err := ParseMarker(s)
		if err != nil {
			t.Fatal(err)
		}
		n, err := ParseMarker(other)
		if err != nil {
			t.Fatal(err)
		}
		x, y := a.Of(m), a.Of(n)
		for _, e := range environments {
			if e.env.ImplementationVersion != strings.TrimRight(e.env.ImplementationVersion, "+abrc") || strings.ContainsAny(e.env.ImplementationVersion, "abr") {
				continue // implementation_version counts by its release
			}
			active := func(name string) bool { return name == e.extra }
			p, q := m.Evaluate(e.env, active), n.Evaluate(e.env, active)
			for what, got := range map[string]bool{
				"marker": a.Evaluate(x, e.env, active) == p,
				"not":    a.Evaluate(x.Not(), e.env, active) == !p,
				"and":    a.Evaluate(a.And(x, y), e.env, active) == (p && q),
				"or":     a.Evaluate(a.Or(x, y), e.env, active) == (p || q),
			} {
				if !got {
					t.Fatalf("%s of %q and %q in %+v", what, s, other, e)
				}
			}
			if p && q && a.Disjoint(x, y) || p && !q && a.Implies(x, y) {
				t.Fatalf("%q and %q: disjoint %t, implied %t; not in %+v", s, other, a.Disjoint(x, y), a.Implies(x, y), e)
			}
		}
	}
	t.Logf("%d pairs of markers, %d nodes", count, len(a.nodes))
}

// TestConditionsInEnvironments asks conditions for what is hard to reach at random.
func TestConditionsInEnvironments(t *testing.T) {
	a := NewAlgebra()
	for s, want := range map[string]bool{
		"python_full_version >= '3.14'":        true, // 3.14.0rc1 counts as 3.14.0
		"python_full_version == '3.14.0'":      true,
		"python_version in '3.13 3.14'":        true,
		"'x' in extras":                        false,
		"'x' not in dependency_groups":         true,
		"'inu' in sys_platform":                true,
		"sys_platform in 'linux darwin'":       true,
		"sys_platform not in 'linux darwin'":   false,
		"platform_machine > 'x86'":             true,
		"platform_machine < 'x86_64'":          false,
		"platform_machine >= 'x86_64'":         true,
		"extra == 'B_C' and extra != 'other'":  true,
		"platform_system == 'Linux'":           true,
		"implementation_version < '3.14'":      false,
		"platform_release == '' or extra=='q'": true,
	} {
		env := environments[3]
		if got := a.Evaluate(of(t, a, s), env.env, func(name string) bool { return name == env.extra }); got != want {
			t.Errorf("%q is %t", s, got)
		}
	}
	if a.Evaluate(of(t, a, "python_version >= '3'"), Environment{}, nil) {
		t.Error("no version is a late one")
	}
}

func BenchmarkAlgebra(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	markers := make([]Marker, 200)
	for i := range markers {
		markers[i], _ = ParseMarker(randomLockable(r, 2, true))
	}
	b.ReportAllocs()
	for b.Loop() {
		a := NewAlgebra()
		for i, m := range markers {
			x, y := a.Of(m), a.Of(markers[(i+1)%len(markers)])
			a.And(x, y)
			a.Disjoint(x, y)
		}
	}
}
