package pack

import (
	"testing"

	"vpk/lockfile"
)

func TestReportsHaveNoSecrets(t *testing.T) {
	for url, want := range map[string]string{
		"https://user:secret@index.example/a-1-py3-none-any.whl?signature=secret": "https://index.example/a-1-py3-none-any.whl",
		"https://index.example/a-1-py3-none-any.whl":                              "https://index.example/a-1-py3-none-any.whl",
		"": "",
	} {
		list := packages(&lockfile.Selection{Packages: []lockfile.Selected{{Package: &lockfile.Package{Name: "a"}, URL: url, Wheel: &lockfile.Wheel{}}}})
		if len(list) != 1 || list[0].URL != want {
			t.Errorf("%q is reported as %+v", url, list)
		}
	}
}
