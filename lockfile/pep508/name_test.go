package pep508

import "testing"

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"foo":             "foo",
		"Foo.Bar__baz":    "foo-bar-baz",
		"a-_.b":           "a-b",
		"ZOPE.interface":  "zope-interface",
		"1":               "1",
		"A1":              "a1",
		"extra-3-foo-gpu": "extra-3-foo-gpu",
	} {
		if got, err := ParseName(in); err != nil || got != want {
			t.Errorf("ParseName(%q) = %q, %v; want %q", in, got, err, want)
		}
		if !ValidName(in) || NormalizeName(in) != want {
			t.Errorf("%q: valid %t, normalised %q", in, ValidName(in), NormalizeName(in))
		}
	}
	for in, want := range map[string]string{
		"":     `parse name "": column 1: it is empty`,
		"-a":   `parse name "-a": column 1: a name starts and ends with a letter or a digit`,
		"a.":   `parse name "a.": column 2: a name starts and ends with a letter or a digit`,
		"_":    `parse name "_": column 1: a name starts and ends with a letter or a digit`,
		"a b":  `parse name "a b": column 2: unexpected ' '`,
		"aé":   `parse name "aé": column 2: unexpected 'é'`,
		"a[b]": `parse name "a[b]": column 2: unexpected '['`,
	} {
		if _, err := ParseName(in); err == nil || err.Error() != want {
			t.Errorf("ParseName(%q):\n got %v\nwant %s", in, err, want)
		}
		if ValidName(in) {
			t.Errorf("%q is valid", in)
		}
	}
}

func TestNormalizeNameDoesNotValidate(t *testing.T) {
	for in, want := range map[string]string{"": "", "_A_": "-a-", "--": "-", "a B": "a b", "É.é": "é-é"} {
		if got := NormalizeName(in); got != want {
			t.Errorf("NormalizeName(%q) = %q, want %q", in, got, want)
		}
	}
}
