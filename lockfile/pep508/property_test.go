package pep508

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// markers draws what randomMarker makes, so that rapid's cases are like those
// that are compared with packaging.
var markers = rapid.Custom(func(t *rapid.T) Marker {
	m, err := ParseMarker(randomMarker(seeded(t), 2))
	if err != nil {
		return Marker{} // "===" of a text
	}
	return m
})

func seeded(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
}

// TestJunctionsAreBoolean: a conjunction or disjunction of printed markers has
// the truth of its members, and survives printing.
func TestJunctionsAreBoolean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := markers.Draw(t, "a"), markers.Draw(t, "b")
		if a.IsTrue() || b.IsTrue() {
			return
		}
		env := rapid.SampledFrom(environments).Draw(t, "env")
		active := func(name string) bool { return name == env.extra }
		truth := func(m Marker) bool { return m.Evaluate(env.env, active) }
		for word, want := range map[string]bool{"and": truth(a) && truth(b), "or": truth(a) || truth(b)} {
			m, err := ParseMarker("(" + a.String() + ") " + word + " (" + b.String() + ")")
			if err != nil {
				t.Fatal(err)
			}
			if truth(m) != want {
				t.Fatalf("%q is %t", m, !want)
			}
			again, err := ParseMarker(m.String())
			if err != nil || again.String() != m.String() || truth(again) != want {
				t.Fatalf("%q is read again as %q (%v)", m, again, err)
			}
		}
	})
}

func TestPrintedRequirementsAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := randomRequirement(seeded(t))
		r, err := ParseRequirement(s)
		if err != nil {
			return
		}
		if again, err := ParseRequirement(r.String()); err != nil || again.String() != r.String() {
			t.Fatalf("%q is printed as %q, read again %q (%v)", s, r, again, err)
		}
	})
}
