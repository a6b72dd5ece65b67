package pep508

import (
	"errors"
	"testing"

	"vpk/lockfile/pep440"
)

// FuzzParseMarker: a marker is read again from its text as a marker with the
// same text and the same truth, and an error points into the input.
func FuzzParseMarker(f *testing.F) {
	for _, s := range oddMarkers {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMarker(s)
		if err != nil {
			checkSyntaxError(t, err, s)
			return
		}
		if m.IsTrue() {
			return
		}
		again, err := ParseMarker(m.String())
		if err != nil || again.String() != m.String() {
			t.Fatalf("%q is printed as %q, read again %q (%v)", s, m, again, err)
		}
		for _, e := range environments {
			active := func(name string) bool { return name == e.extra }
			if m.Evaluate(e.env, active) != again.Evaluate(e.env, active) {
				t.Fatalf("%q and, as printed, %q differ", s, m)
			}
		}
	})
}

// FuzzParseRequirement: the same of a requirement.
func FuzzParseRequirement(f *testing.F) {
	for _, s := range oddRequirements {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRequirement(s)
		if err != nil {
			checkSyntaxError(t, err, s)
			return
		}
		if again, err := ParseRequirement(r.String()); err != nil || again.String() != r.String() {
			t.Fatalf("%q is printed as %q, read again %q (%v)", s, r, again, err)
		}
		if name, err := ParseName(r.Name); err != nil || name != r.Name {
			t.Fatalf("%q has the name %q (%v)", s, r.Name, err)
		}
		if r.URL != "" && r.Specifiers != nil {
			t.Fatalf("%q has both specifiers and a URL", s)
		}
	})
}

func checkSyntaxError(t *testing.T, err error, s string) {
	t.Helper()
	var bad *pep440.SyntaxError
	if !errors.As(err, &bad) || bad.Input != s || bad.Offset < 0 || bad.Offset > len(s) || bad.Reason == "" {
		t.Fatalf("%q: %#v", s, err)
	}
	bad.Caret()
}
