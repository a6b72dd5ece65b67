package pep440

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalisedForm(t *testing.T) {
	for in, want := range map[string]string{
		"1":                             "1",
		"01.002.0003":                   "1.2.3",
		"v1.0":                          "1.0",
		" 1.0\n":                        "1.0",
		"1.0.0":                         "1.0.0",
		"0!1":                           "1",
		"01!02":                         "1!2",
		"1.0ALPHA":                      "1.0a0",
		"1.0-beta_2":                    "1.0b2",
		"1.0.C.03":                      "1.0rc3",
		"1.0preview":                    "1.0rc0",
		"1.0pre1":                       "1.0rc1",
		"1.0a.":                         "1.0a0",
		"1.0-1":                         "1.0.post1",
		"1.0rev":                        "1.0.post0",
		"1.0_R-7":                       "1.0.post7",
		"1.0a--1":                       "1.0a0.post1",
		"1.0dev":                        "1.0.dev0",
		"1.0+Ubuntu-01_b":               "1.0+ubuntu.1.b",
		"1!2.3rc4-5DEV6+x":              "1!2.3rc4.post5.dev6+x",
		"99999999999999999999.01":       "99999999999999999999.1",
		"1.0+00000000000000000000000":   "1.0+0",
		"1.0.dev0099999999999999999999": "1.0.dev99999999999999999999",
	} {
		v, err := Parse(in)
		if err != nil {
			t.Error(err)
			continue
		}
		if v.String() != want {
			t.Errorf("Parse(%q) = %q, want %q", in, v, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":          `parse version "": column 1: a version starts with a digit`,
		"  ":        `parse version "  ": column 3: a version starts with a digit`,
		"1..0":      `parse version "1..0": column 2: unexpected '.'`,
		"1.0.":      `parse version "1.0.": column 4: unexpected '.'`,
		"x":         `parse version "x": column 1: unexpected 'x': a version starts with a digit`,
		"1!":        `parse version "1!": column 3: a release number has to follow the epoch`,
		"1!a":       `parse version "1!a": column 3: unexpected 'a': a release number has to follow the epoch`,
		"\u00a01é":  `parse version "\u00a01é": column 3: unexpected 'é'`,
		"1.0+a..b":  `parse version "1.0+a..b": column 6: unexpected '.'`,
		"1.0a1b2":   `parse version "1.0a1b2": column 6: unexpected 'b'`,
		"1.0 1":     `parse version "1.0 1": column 4: unexpected ' '`,
		"1.0.final": `parse version "1.0.final": column 4: unexpected '.'`,
	} {
		_, err := Parse(in)
		var bad *SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("Parse(%q): %v", in, err)
			continue
		}
		if err.Error() != want {
			t.Errorf("Parse(%q):\n got %v\nwant %s", in, err, want)
		}
	}
}

func TestCaret(t *testing.T) {
	_, err := ParseSpecifiers("===é,\t< x")
	var bad *SyntaxError
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	if got, want := bad.Caret(), "===é, < x\n        ^"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// ascending are versions in PEP 440's order, around the limits of the sort key
// too.
var ascending = []string{
	"0.dev0", "0.dev1", "0a0", "0", "0.0.0.0.1", "0.0.0.1", "0.1",
	"1.0.dev0", "1.0.dev1", "1.0.dev1+x", "1.0.dev2", "1.0.dev4094", "1.0.dev4095", "1.0.dev4096", "1.0.dev99999999999999999999",
	"1.0a0.dev0", "1.0a0", "1.0a1.dev1", "1.0a1.dev5000", "1.0a1", "1.0a1+1", "1.0a1.post0.dev1", "1.0a1.post0", "1.0a1.post1", "1.0a2", "1.0a1023", "1.0a1024",
	"1.0a99999999999999999999", "1.0b0", "1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1", "1.0rc2000.dev1", "1.0rc2000",
	"1.0", "1.0+abc", "1.0+abc.a", "1.0+abc.1", "1.0+abd", "1.0+0", "1.0+1", "1.0+1.a", "1.0+1.0", "1.0+1.1", "1.0+2", "1.0+10", "1.0+99999999999999999999",
	"1.0.post0.dev1", "1.0.post0", "1.0.post0+x", "1.0.post1.dev0", "1.0.post1", "1.0.post1022", "1.0.post1023", "1.0.post99999999999999999999",
	"1.0.0.0.1", "1.0.0.1", "1.0.1", "1.1.dev1", "1.1", "1.9", "1.10", "1.524287", "1.524288", "2.32.0.20241016", "2.32.0.268435455", "2.32.0.268435456",
	"2024.10", "67108863", "67108864", "18446744073709551615", "18446744073709551616", "99999999999999999998.9", "99999999999999999999.1",
	"1!0", "1!0.1", "2!0", "10!0", "99999999999999999999!0",
}

func TestOrder(t *testing.T) {
	versions := make([]Version, len(ascending))
	for i, s := range ascending {
		versions[i] = MustParse(s)
	}
	for i, v := range versions {
		for j, w := range versions {
			if got, want := v.Compare(w), sign(i-j); got != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", v, w, got, want)
			}
		}
		if got := v.Compare(Version{}); got != 1 {
			t.Errorf("Compare(%s, no version) = %d", v, got)
		}
		if got := (Version{}).Compare(v); got != -1 {
			t.Errorf("Compare(no version, %s) = %d", v, got)
		}
	}
	if !(Version{}).Equal(Version{}) {
		t.Error("no version is not equal to no version")
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestEqualSpellings(t *testing.T) {
	for _, same := range [][]string{
		{"1", "1.0", "1.0.0", "1.0.0.0.0.0", "v1", "0!1"},
		{"1!2", "1!2.0", "01!2.0.0.0.0"},
		{"1.0a1", "1a1", "1.0.0.0.0a1", "1-alpha-1"},
		{"1.0+x.1", "1+X-01"},
		{"99999999999999999999", "99999999999999999999.0"},
	} {
		for _, a := range same {
			for _, b := range same {
				if !MustParse(a).Equal(MustParse(b)) {
					t.Errorf("%s and %s differ", a, b)
				}
			}
		}
	}
}

func TestParts(t *testing.T) {
	type parts struct {
		Epoch, Local, Public, Release string
		Components                    []string
		Pre, Post, IsLocal            bool
	}
	for in, want := range map[string]parts{
		"1.20.0":         {"0", "", "1.20.0", "1.20.0", []string{"1", "20", "0"}, false, false, false},
		"3.14.0rc1":      {"0", "", "3.14.0rc1", "3.14.0", []string{"3", "14", "0"}, true, false, false},
		"2.5.1+CPU":      {"0", "cpu", "2.5.1", "2.5.1", []string{"2", "5", "1"}, false, false, true},
		"1.0.post1.dev2": {"0", "", "1.0.post1.dev2", "1.0", []string{"1", "0"}, true, true, false},
		"1.0.dev0":       {"0", "", "1.0.dev0", "1.0", []string{"1", "0"}, true, false, false},
		"1.0.post0":      {"0", "", "1.0.post0", "1.0", []string{"1", "0"}, false, true, false},
		"7!1.2.3.4.5b1.post2.dev3+z": {"7", "z", "7!1.2.3.4.5b1.post2.dev3", "7!1.2.3.4.5", []string{"1", "2", "3", "4", "5"},
			true, true, true},
		"99999999999999999999.0.post1": {"0", "", "99999999999999999999.0.post1", "99999999999999999999.0",
			[]string{"99999999999999999999", "0"}, false, true, false},
	} {
		v := MustParse(in)
		got := parts{
			v.Epoch(), v.Local(), v.WithoutLocal().String(), v.ReleaseOnly().String(), v.Release(),
			v.IsPrerelease(), v.IsPostrelease(), v.IsLocal(),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
		for _, derived := range []Version{v.WithoutLocal(), v.ReleaseOnly()} {
			if fresh := MustParse(derived.String()); fresh != derived {
				t.Errorf("%#v was derived, and parsing it gives %#v", derived, fresh)
			}
		}
	}
}

func TestNoVersion(t *testing.T) {
	var v Version
	if !v.IsZero() || v.Release() != nil || v.String() != "" || v.IsPrerelease() || v.IsPostrelease() || v.IsLocal() || !v.WithoutLocal().IsZero() || !v.ReleaseOnly().IsZero() {
		t.Errorf("%#v", v)
	}
	if (Specifiers{{Op: OpGreaterEqual, Version: MustParse("0")}}).Contains(v) {
		t.Error("no version is contained")
	}
}

func TestParsingDoesNotCopyNormalisedText(t *testing.T) {
	texts := slices.Concat(ascending, []string{"3.11.2", "1.0rc1+cpu"})
	for _, s := range texts {
		if n := testing.AllocsPerRun(10, func() { MustParse(s) }); n != 0 {
			t.Errorf("Parse(%q) allocates %v times", s, n)
		}
	}
}

func TestTrimmed(t *testing.T) {
	for s, want := range map[string]string{
		"1.0.0": "1", "1.0": "1", "1": "1", "0.0": "0", "1.10": "1.10", "1.0.0rc1": "1rc1", "1.0.post1": "1.post1", "2!1.0.0.dev1": "2!1.dev1",
		"1.0+cpu.0": "1+cpu.0", "1.0.1.0": "1.0.1",
	} {
		v := MustParse(s)
		if got := v.Trimmed(); got.String() != want || !got.Equal(v) {
			t.Errorf("%s is trimmed to %s, want %s", s, got, want)
		}
	}
	if !(Version{}).Trimmed().IsZero() {
		t.Error("the zero version is trimmed to another")
	}
}
