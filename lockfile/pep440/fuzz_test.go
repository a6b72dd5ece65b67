package pep440

import (
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzParse: a version is read again from its text as the same version, it is
// equal to itself in every spelling, and an error points into the input.
func FuzzParse(f *testing.F) {
	for _, s := range oddVersions {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			checkSyntaxError(t, err, s)
			return
		}
		again, err := Parse(v.String())
		if err != nil || again != v {
			t.Fatalf("%q is %#v, read again %#v (%v)", s, v, again, err)
		}
		if v.Compare(Version{text: v.text}) != 0 {
			t.Fatalf("%q differs by key and by text", s)
		}
		if !v.WithoutLocal().Equal(MustParse(v.WithoutLocal().String())) || v.WithoutLocal().Compare(v) > 0 {
			t.Fatalf("%q without its local segment is %#v", s, v.WithoutLocal())
		}
		if v.ReleaseOnly() != MustParse(v.ReleaseOnly().String()) {
			t.Fatalf("the release of %q is %#v", s, v.ReleaseOnly())
		}
	})
}

// FuzzParseSpecifiers: a set is read again from its text as the same set, and
// contains what each of its clauses contains.
func FuzzParseSpecifiers(f *testing.F) {
	for i, s := range oddSpecifiers {
		f.Add(s, oddVersions[i%len(oddVersions)])
	}
	f.Fuzz(func(t *testing.T, s, version string) {
		set, err := ParseSpecifiers(s)
		if err != nil {
			checkSyntaxError(t, err, s)
			return
		}
		again, err := ParseSpecifiers(set.String())
		if err != nil || again.String() != set.String() || len(again) != len(set) {
			t.Fatalf("%q is %q, read again %q (%v)", s, set, again, err)
		}
		v, err := Parse(version)
		if err != nil {
			return
		}
		all := true
		for _, clause := range again {
			all = all && clause.Contains(v)
		}
		if got := set.Contains(v); got != all {
			t.Fatalf("%q contains %s: %t, each clause: %t", s, v, got, all)
		}
		if lower, upper, ok := set.Bounds(); ok && lower.Inclusive && upper.Inclusive && lower.Version.Compare(upper.Version) > 0 {
			t.Fatalf("%q has its ends the wrong way round: %s, %s", s, lower.Version, upper.Version)
		}
	})
}

func checkSyntaxError(t *testing.T, err error, s string) {
	t.Helper()
	var bad *SyntaxError
	if !errors.As(err, &bad) || bad.Input != s || bad.Offset < 0 || bad.Offset > len(s) || bad.Reason == "" {
		t.Fatalf("%q: %#v", s, err)
	}
	if utf8.ValidString(s) && bad.Offset < len(s) && !utf8.RuneStart(s[bad.Offset]) {
		t.Fatalf("%q: offset %d is within a character", s, bad.Offset)
	}
	bad.Caret()
}
