package pep440

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// versions draws what randomVersion makes, so that rapid's cases are like those
// that are compared with packaging.
var versions = rapid.Custom(func(t *rapid.T) Version {
	return MustParse(randomVersion(seeded(t)))
})

var sets = rapid.Custom(func(t *rapid.T) Specifiers {
	r := seeded(t)
	for {
		if set, err := ParseSpecifiers(randomSpecifiers(r)); err == nil {
			return set
		}
	}
})

func seeded(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
}

func TestOrderIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, v, w := versions.Draw(t, "u"), versions.Draw(t, "v"), versions.Draw(t, "w")
		if u.Compare(u) != 0 {
			t.Fatalf("%s is not equal to itself", u)
		}
		if u.Compare(v) != -v.Compare(u) {
			t.Fatalf("%s and %s: %d one way, %d the other", u, v, u.Compare(v), v.Compare(u))
		}
		if u.Compare(v) <= 0 && v.Compare(w) <= 0 && u.Compare(w) > 0 {
			t.Fatalf("%s <= %s <= %s, but not the first and the last", u, v, w)
		}
	})
}

// TestKeyAgreesWithText compares each version by its key and, the key hidden,
// by its text.
func TestKeyAgreesWithText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, w := versions.Draw(t, "v"), versions.Draw(t, "w")
		slowV, slowW := Version{text: v.text}, Version{text: w.text}
		if got, want := v.Compare(w), slowV.Compare(slowW); got != want {
			t.Fatalf("Compare(%s, %s) is %d by key, %d by text", v, w, got, want)
		}
		set := sets.Draw(t, "set")
		slow := make(Specifiers, len(set))
		for i, s := range set {
			slow[i] = s
			slow[i].Version = Version{text: s.Version.text}
		}
		if got, want := set.Contains(v), slow.Contains(slowV); got != want {
			t.Fatalf("%s contains %s: %t by key, %t by text", set, v, got, want)
		}
		if v.IsPrerelease() != slowV.IsPrerelease() || v.IsPostrelease() != slowV.IsPostrelease() || v.IsLocal() != slowV.IsLocal() {
			t.Fatalf("%s is of another kind by key than by text", v)
		}
	})
}

func TestPrintedVersionsAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := versions.Draw(t, "v")
		if again := MustParse(v.String()); again != v {
			t.Fatalf("%#v is read again as %#v", v, again)
		}
	})
}

func TestPrintedSpecifiersAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, v := sets.Draw(t, "set"), versions.Draw(t, "v")
		again, err := ParseSpecifiers(set.String())
		if err != nil {
			t.Fatal(err)
		}
		if again.String() != set.String() || again.Contains(v) != set.Contains(v) {
			t.Fatalf("%s is read again as %s", set, again)
		}
	})
}

// TestContainsFollowsOrder states each operator by comparisons alone.
func TestContainsFollowsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, w := versions.Draw(t, "v"), versions.Draw(t, "w")
		public := w.WithoutLocal()
		holds := func(op Op, w Version) bool { return Specifier{Op: op, Version: w}.Contains(v) }
		order := v.Compare(public)
		if got := holds(OpGreaterEqual, public); got != (order >= 0) {
			t.Fatalf("%s >= %s: %t", v, public, got)
		}
		if got := holds(OpLessEqual, public); got != (v.WithoutLocal().Compare(public) <= 0) {
			t.Fatalf("%s <= %s: %t", v, public, got)
		}
		if holds(OpEqual, w) == holds(OpNotEqual, w) {
			t.Fatalf("%s == %s and != alike", v, w)
		}
		if holds(OpGreater, public) && order <= 0 || holds(OpLess, public) && order >= 0 {
			t.Fatalf("%s is on the wrong side of %s", v, public)
		}
		if n := len(public.Release()); n > 1 {
			prefix := Specifier{Op: OpEqual, Prefix: true, Version: nthPrefix(public, n-1)}
			if got, want := holds(OpCompatible, public), order >= 0 && prefix.Contains(v); got != want {
				t.Fatalf("%s ~= %s: %t", v, public, got)
			}
		}
	})
}

func nthPrefix(v Version, n int) Version {
	p := parts{epoch: v.Epoch(), release: v.Release()[0]}
	for _, component := range v.Release()[1:n] {
		p.release += "." + component
	}
	return p.version("")
}

// TestBoundsHoldEveryRelease looks for a release that fits and is out of bounds.
func TestBoundsHoldEveryRelease(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, v := sets.Draw(t, "set"), versions.Draw(t, "v").ReleaseOnly()
		for i := range set {
			set[i].Version = set[i].Version.ReleaseOnly()
		}
		lower, upper, ok := set.Bounds()
		within := ok &&
			(lower.Version.IsZero() || v.Compare(lower.Version) > 0 || lower.Inclusive && v.Equal(lower.Version)) &&
			(upper.Version.IsZero() || v.Compare(upper.Version) < 0 || upper.Inclusive && v.Equal(upper.Version))
		if set.Contains(v) && !within {
			t.Fatalf("%s contains %s, which is not between %v and %v (%t)", set, v, lower, upper, ok)
		}
		for _, end := range []Bound{lower, upper} {
			if end.Inclusive && !set.Contains(end.Version) {
				t.Fatalf("%s does not contain its end %s", set, end.Version)
			}
		}
	})
}
