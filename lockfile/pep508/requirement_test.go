package pep508

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vpk/lockfile/pep440"
)

func TestRequirementCanonicalText(t *testing.T) {
	for in, want := range map[string]string{
		"foo":                                 "foo",
		" Foo_Bar ":                           "foo-bar",
		"uvicorn[Standard,a_b,a.b]":           "uvicorn[a-b,standard]",
		"foo[]":                               "foo",
		"foo >= 1, <2 ; python_version > '3'": "foo>=1,<2 ; python_version > '3'",
		"foo(<2,>=1.0)":                       "foo>=1.0,<2",
		"foo ( )":                             "foo",
		"foo>=1,":                             "foo>=1",
		"foo==1.*;os_name=='a'":               "foo==1.* ; os_name == 'a'",
		"foo===bar,<2":                        "foo===bar,<2",
		"foo===1.0, <2":                       "foo===1.0,<2", // packaging takes the comma for text
		"foo[a] @ https://index.example/foo.whl ; os_name == 'a'":   "foo[a] @ https://index.example/foo.whl ; os_name == 'a'",
		"foo@git+ssh://git@index.example/foo@main#subdirectory=a;b": "foo @ git+ssh://git@index.example/foo@main#subdirectory=a;b",
		"foo @ x ":                       "foo @ x",
		"foo ; 'a' == 'b'":               "foo",
		"foo>=1 ; extra == 'A_b'":        "foo>=1 ; extra == 'a-b'",
		"foo>=99999999999999999999.0":    "foo>=99999999999999999999.0",
		"foo\t[a\t,\tb]\t>=\t1\t,\t<\t2": "foo[a,b]>=1,<2",
	} {
		r, err := ParseRequirement(in)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.String() != want {
			t.Errorf("ParseRequirement(%q) = %q, want %q", in, r, want)
		}
	}
}

func TestRequirementParts(t *testing.T) {
	r, err := ParseRequirement("Foo.Bar[B,a] >=1.0,!=1.5 ; python_version >= '3.11'")
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "foo-bar" || !slices.Equal(r.Extras, []string{"a", "b"}) || r.URL != "" {
		t.Errorf("%#v", r)
	}
	if !r.Specifiers.Contains(pep440.MustParse("1.4")) || r.Specifiers.Contains(pep440.MustParse("1.5")) {
		t.Errorf("the specifiers are %s", r.Specifiers)
	}
	if !r.Marker.Evaluate(linux("3.11", "3.11.2", "x86_64"), nil) || r.Marker.Evaluate(linux("3.10", "3.10.1", "x86_64"), nil) {
		t.Errorf("the marker is %s", r.Marker)
	}
}

func TestRequirementErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `column 1: the name of a package is missing`,
		" >=1":                   `column 2: unexpected '>': the name of a package has to stand here`,
		"foo-":                   `column 4: a name starts and ends with a letter or a digit`,
		"foo_[a]":                `column 4: a name starts and ends with a letter or a digit`,
		".foo":                   `column 1: a name starts and ends with a letter or a digit`,
		"foo bar":                `column 5: unexpected 'b': a specifier, "@", "[", ";" or the end has to follow`,
		"foo 1.0":                `column 5: unexpected '1': a specifier, "@", "[", ";" or the end has to follow`,
		"foo[":                   `column 5: the name of an extra is missing`,
		"foo[a":                  `column 4: the "]" for this "[" is missing`,
		"foo[a b]":               `column 7: unexpected 'b': "," or "]" has to follow the extra`,
		"foo[a,]":                `column 7: unexpected ']': the name of an extra has to stand here`,
		"foo>=1..0":              `column 7: unexpected '.'`,
		"foo>=1,,<2":             `column 8: a specifier has to stand before the comma`,
		"foo,>=1":                `column 4: a specifier has to stand before the comma`,
		"foo>=1,bar":             `column 8: unexpected 'b': a specifier, "@", "[", ";" or the end has to follow`,
		"foo>=1\n":               `column 7: unexpected '\n'`,
		"foo (>=1":               `column 5: the ")" for this "(" is missing`,
		"foo >=1)":               `column 8: unexpected ')': a specifier, "@", "[", ";" or the end has to follow`,
		"foo @":                  `column 6: a URL has to follow "@"`,
		"foo @ x y":              `column 9: unexpected 'y': ";" or the end has to follow the URL`,
		"foo>=1 ; os_name":       `column 17: an operator has to stand here: one of ==, !=, <=, >=, <, >, ~=, ===, in, not in`,
		"foo ; os_name == 'a' ;": `column 22: unexpected ';': "and", "or" or the end has to follow`,
		"é":                      `column 1: unexpected 'é': the name of a package has to stand here`,
	} {
		_, err := ParseRequirement(in)
		var bad *pep440.SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("ParseRequirement(%q): %v", in, err)
			continue
		}
		if _, got, _ := strings.Cut(err.Error(), `": `); got != want {
			t.Errorf("ParseRequirement(%q):\n got %s\nwant %s", in, got, want)
		}
	}
}
