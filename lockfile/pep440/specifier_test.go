package pep440

import (
	"errors"
	"strings"
	"testing"
)

func TestSpecifiersNormalisedForm(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		" , ,":                             "",
		">=1":                              ">=1",
		" >= 1.0 , < 2 ":                   ">=1.0,<2",
		"<4,>=3.0":                         ">=3.0,<4",
		"==1.0.*":                          "==1.0.*",
		"!= 01.0.*":                        "!=1.0.*",
		"== 1.0-ALPHA+X_1":                 "==1.0a0+x.1",
		"===1.0-1":                         "===1.0.post1",
		"=== Foo Bar":                      "",
		"===Foo":                           "===Foo",
		"===":                              "===",
		">=1,==1,!=1,<=1,>1,<1,===1":       "==1,===1,!=1,<1,<=1,>1,>=1",
		"~=1.0,!=1.0.*,==1.0.*,!=1.0":      "==1.0.*,!=1.0,!=1.0.*,~=1.0",
		">=1.0,>=1":                        ">=1.0,>=1",
		">=99999999999999999999.1,===b,<1": "===b,<1,>=99999999999999999999.1",
	} {
		set, err := ParseSpecifiers(in)
		if (err != nil) != (want == "" && strings.Contains(in, "Bar")) {
			t.Error(err)
		}
		if set.String() != want {
			t.Errorf("ParseSpecifiers(%q) = %q, want %q", in, set, want)
		}
	}
}

func TestSpecifierErrors(t *testing.T) {
	for in, want := range map[string]string{
		"1.0":          `column 1: an operator is missing: one of ==, !=, <=, >=, <, >, ~=, ===`,
		">=1.0, *":     `column 8: an operator is missing: one of ==, !=, <=, >=, <, >, ~=, ===`,
		">=":           `column 3: a version starts with a digit`,
		">=1.0,<x":     `column 8: unexpected 'x': a version starts with a digit`,
		">=1..0":       `column 4: unexpected '.'`,
		">= 1.0 <2":    `column 7: unexpected ' '`,
		">=1.0.*":      `column 6: only == and != take .*`,
		"==1.0a1.*":    `column 8: .* may follow a release only`,
		"==1.0+x.*":    `column 8: .* may follow a release only`,
		"==1.*.*":      `column 6: unexpected '.'`,
		"<1.0+x.y":     `column 5: only ==, != and === take a local version`,
		"~=1":          `column 3: ~= needs a release of at least two numbers`,
		"==1, ~= 1!2a": `column 9: ~= needs a release of at least two numbers`,
		"===a b":       `column 5: unexpected ' ': the text after === has no white space, ';' or ')'`,
	} {
		_, err := ParseSpecifiers(in)
		var bad *SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("ParseSpecifiers(%q): %v", in, err)
			continue
		}
		if _, got, _ := strings.Cut(err.Error(), `": `); got != want {
			t.Errorf("ParseSpecifiers(%q):\n got %s\nwant %s", in, got, want)
		}
	}
}

// TestContains has the cases that tell implementations apart; the comparisons
// with packaging and uv cover the rest.
func TestContains(t *testing.T) {
	for _, c := range []struct{ specifier, in, out string }{
		{"", "0.dev0 1.0a1 1!2+x", ""},
		{"==1.0", "1 1.0.0 1.0+local", "1.0.post1 1.0a1 1!1.0"},
		{"==1.0+local", "1.0.0+LOCAL", "1.0 1.0+local.1"},
		{"!=1.0", "1.0.post1 1.1 1!1.0", "1 1.0+local"},
		{"==1.0.*", "1 1.0 1.0.5 1.0a1 1.0.dev0 1.0.post1+x", "1.1 1.1.dev0 0.9 1!1.0"},
		{"==1!1.*", "1!1.0", "2!1.0 1.0"},
		{"!=1!1.0.*", "2!1.0 1.0", "1!1.0.3"},
		{"==1.2.3.4.5.*", "1.2.3.4.5.6", "1.2.3.4.6"},
		{"~=1.0", "1.0 1.9 1.1.dev1 1.0+x", "2.0 2.0.dev0 1.0a1 0.9 1!1.0"},
		{"~=1.0a1", "1.0a1 1.1 1.0", "2.0 1.0.dev1"},
		{"~=1.0.0", "1.0.9", "1.1"},
		{"~=1!1.0", "1!1.5", "2!1.0 1.5"},
		{"~=2.2.post3", "2.2.post3 2.3", "2.2 2.2.post2 3"},
		{"<=1.0", "1.0+local 1.0a1 0.9", "1.0.post1 1.0.1"},
		{">=1.0", "1.0+local 1!0", "1.0rc1"},
		{"<1.0", "0.9 0.9.post1", "1.0 1.0.dev0 1.0a1 1.0+x"},
		{"<1.0a2", "1.0a1 1.0.dev0 0.9", "1.0a2 1.0a2+x 1.0"},
		{"<2.0", "1.9", "2.0.dev0"},
		{"<0", "", "0 0.dev0 1"},
		{">1.0", "1.0.1 1.1.dev0 1!0", "1.0 1.0+local 1.0.post1 1.0.post1.dev0 1.0.0"},
		{">1.0a1", "1.0a2 1.0a2.dev0 1.0 1.0b1", "1.0a1 1.0a1.post1 1.0a1+x"},
		{">1.0.dev1", "1.0.dev2 1.0a1.dev0 1.0", "1.0.dev1 1.0.dev1+x"},
		{">=3.8,!=3.9.*,<4", "3.8.1 3.10", "3.9.7 4 3.7"},
		{">99999999999999999999.1", "99999999999999999999.2", "99999999999999999999.1 99999999999999999998.9"},
		{"===foobar", "", "1.0"},
		// What uv decides.
		{"===1.0", "1.0 1 1.0.0", "1.0+x 1.0.post1"},
		{"===1.0+X", "1.0.0+x", "1.0"},
		{"<1.0.post1", "0.9 1.0 1.0.post0 1.0.post0.dev1 1.0+x 1.0.post1.dev0", "1.0a1 1.0.dev0 1.0rc1.post1 1.0.post1 1.0.post1+x 1.0.1"},
		{"<1!1.0.post1", "5.0 1!1.0 1!0.9a1", "1!1.0a1 1!1.0.post1"},
		{"<1.0.post1.dev1", "1.0a1 1.0.post1.dev0 1.0", "1.0.post1.dev1"},
		{">1.0.post1", "1.0.post2 1.0.post3.dev0 1.0.1.dev0", "1.0.post1 1.0.post1+x 1.0.post2.dev0 1.0.post2.dev1+x"},
		{">1.0.post9", "1.0.post10", "1.0.post10.dev4"},
		{">1.0.post99999999999999999999", "1.0.post100000000000000000000", "1.0.post100000000000000000000.dev0"},
	} {
		set, err := ParseSpecifiers(c.specifier)
		if err != nil {
			t.Fatal(err)
		}
		for want, versions := range map[bool]string{true: c.in, false: c.out} {
			for v := range strings.FieldsSeq(versions) {
				if got := set.Contains(MustParse(v)); got != want {
					t.Errorf("%q contains %q: %t", c.specifier, v, got)
				}
			}
		}
	}
}

func TestBounds(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "(,)",
		">=3.11":                        "[3.11,)",
		">=3.11.0":                      "[3.11.0,)",
		">=3.11,<4":                     "[3.11,4)",
		">3.11,<=4.0":                   "(3.11,4.0]",
		">=3.11,!=3.12.1":               "[3.11,)",
		">=3.11,!=3.12.*,!=3.13.1,<4":   "[3.11,4)",
		">=3.11,!=3.11":                 "(3.11,)",
		">=3.11,!=3.11.*":               "[3.12,)",
		">=3.11,!=3.11.*,!=3.12.*":      "[3.13,)",
		">=3.11,<3.13,!=3.12.*":         "[3.11,3.12)",
		"==3.11.*":                      "[3.11,3.12)",
		"==3.11":                        "[3.11,3.11]",
		"===3.11.2":                     "[3.11.2,3.11.2]",
		"!=3.11":                        "(,)",
		"~=3.11":                        "[3.11,4)",
		"~=3.11.2":                      "[3.11.2,3.12)",
		"~=1!3.9":                       "[1!3.9,1!4)",
		"==3.9.*,>=3.9.5":               "[3.9.5,3.10)",
		">=3.13.0rc1":                   "[3.13.0,)",
		"<3.13.0rc1":                    "(,3.13.0)",
		">=3.8,>=3.9,<5,<4":             "[3.9,4)",
		">=3.9,>3.9":                    "(3.9,)",
		"<=3.9,<3.9.0":                  "(,3.9.0)",
		"==99999999999999999999.*":      "[99999999999999999999,100000000000000000000)",
		">=4,<3":                        "empty",
		">3.9,<3.9":                     "empty",
		"==3.9,!=3.9":                   "empty",
		"===x":                          "empty",
		">=3.9,<=3.9.0":                 "[3.9,3.9.0]",
		">=3.9,!=3.9,!=3.10,<=3.10,<=4": "(3.9,3.10)",
	} {
		set, err := ParseSpecifiers(in)
		if err != nil {
			t.Fatal(err)
		}
		got := "empty"
		if lower, upper, ok := set.Bounds(); ok {
			got = "(" + lower.Version.String() + "," + upper.Version.String() + ")"
			if lower.Inclusive {
				got = "[" + got[1:]
			}
			if upper.Inclusive {
				got = strings.TrimSuffix(got, ")") + "]"
			}
		}
		if got != want {
			t.Errorf("%q has the bounds %s, want %s", in, got, want)
		}
	}
}
