package index

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpk/wheel/tag"
)

func filename(t testing.TB, s string) tag.Filename {
	t.Helper()
	f, err := tag.ParseFilename(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMirrorPlaces(t *testing.T) {
	const file = "My_Pkg-1.0+cpu-py3-none-any.whl"
	m := NewMirrors([]Rule{
		{"https://files.example", []string{"https://all.example/"}},
		{"https://files.example/packages/", []string{"https://user:pw@one.example/x/packages", "/srv/wheels"}},
		{"https://files.example/packages", []string{"https://two.example/{name}/{version}/{filename}"}},
		{"HTTPS://files.example:443/packages/deep", []string{"/deep"}},
		{"ftp://files.example", []string{"https://never.example"}},
	})
	for _, tt := range []struct {
		url  string
		want []string
	}{
		{"https://files.example/packages/aa/bb/" + file, []string{
			"https://user:pw@one.example/x/packages/aa/bb/" + file,
			"/srv/wheels/aa/bb/" + file, "/srv/wheels/" + file,
			"https://two.example/my-pkg/1.0%2Bcpu/My_Pkg-1.0%2Bcpu-py3-none-any.whl",
		}},
		{"https://FILES.example/packages-b/" + file, []string{"https://all.example/packages-b/" + file}},
		{"https://u:p@files.example/o/a%2Bb/" + file + "?sig=x#f", []string{"https://all.example/o/a%2Bb/" + file}},
		{"https://files.example/packages/deep/" + file, []string{"/deep/" + file}},
		{"https://files.example/packages/deep/%2e%2e/%2e%2e/etc/" + file, []string{"/deep/" + file}},
		{"http://files.example/packages/" + file, nil},
		{"https://files.example:8443/packages/" + file, nil},
		{"https://other.example/packages/" + file, nil},
	} {
		if diff := cmp.Diff(tt.want, m.Places(tt.url, filename(t, file))); diff != "" {
			t.Errorf("%s: %s", tt.url, diff)
		}
	}
}

// TestMirrorStaysBelow: whatever the URL, what a rule with a directory gives is in that directory.
func TestMirrorStaysBelow(t *testing.T) {
	m := NewMirrors([]Rule{{"https://files.example/a", []string{"/srv/wheels"}}})
	f := filename(t, "a-1-py3-none-any.whl")
	rapid.Check(t, func(t *rapid.T) {
		rest := rapid.StringMatching(`(/(\.\.|%2e%2e|%2F|a|%5C|\.|%00)){0,6}`).Draw(t, "rest")
		for _, place := range m.Places("https://files.example/a"+rest, f) {
			if !strings.HasPrefix(place, "/srv/wheels") || filepath.Clean(place) != place {
				t.Fatalf("%q leads to %q", rest, place)
			}
		}
	})
}
