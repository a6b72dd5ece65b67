package config

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

// disk is files by name; a text that begins with ! is an error.
type disk map[string]string

func (d disk) ReadFile(name string) ([]byte, error) {
	text, ok := d[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case text == "!":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return []byte(text), nil
}

func TestReadSettings(t *testing.T) {
	const (
		user   = "/home/u/.config/uv/uv.toml"
		system = "/etc/uv/uv.toml"
	)
	index := func(name, url string) pyproject.Index { return pyproject.Index{Name: name, URL: url} }
	for _, tt := range []struct {
		name string
		env  []string
		disk disk
		want pyproject.Settings
	}{
		{"nothing", nil, disk{}, pyproject.Settings{}},
		{"scalars: the first counts; lists: all, in order", []string{"UV_INDEX=https://env.example", "UV_FIND_LINKS=links"}, disk{
			"/w/p/pyproject.toml": "[tool.uv]\nresolution = \"lowest\"\nno-index = false\nindex-url = \"https://p.example\"\nextra-index-url = [\"https://pe.example\"]\n[[tool.uv.index]]\nname = \"p\"\nurl = \"../idx\"\n",
			user:                  "resolution = \"highest\"\nno-index = true\nindex-url = \"https://u.example\"\nindex = [{ url = \"https://ui.example\" }]\nno-binary-package = [\"A_b\"]\n",
			system:                "prerelease = \"allow\"\nfind-links = [\"l\"]\nallow-insecure-host = [\"h\", { host = \"i\", port = 1, scheme = \"https\" }]\n",
		}, pyproject.Settings{
			Resolution: "lowest", Prerelease: "allow", NoIndex: pyproject.Flag{Set: true},
			Index:         []pyproject.Index{{URL: "https://env.example", Given: true}, index("p", "/w/idx"), index("", "https://ui.example")},
			ExtraIndexURL: []string{"https://pe.example"}, IndexURL: "https://p.example", FindLinks: []string{"/cwd/links", "/etc/uv/l"},
			NoBinaryPackages: []string{"a-b"}, InsecureHosts: []string{"h", "https://i:1"},
		}},
		{"uv.toml before [tool.uv]", nil, disk{
			"/w/p/pyproject.toml": "[tool.uv]\nresolution = \"lowest\"\n", "/w/p/uv.toml": "prerelease = \"allow\"\n",
		}, pyproject.Settings{Prerelease: "allow"}},
		{"the nearest above", nil, disk{
			"/w/p/pyproject.toml": "[project]\nname = \"x\"\n[tool.other]\na = 1\n", "/w/pyproject.toml": "[tool.uv]\n", "/uv.toml": "prerelease = \"allow\"\n",
		}, pyproject.Settings{}},
		{"a broken one above", nil, disk{"/w/pyproject.toml": "[", "/uv.toml": "prerelease = \"allow\"\n"}, pyproject.Settings{Prerelease: "allow"}},
		{"a file that is the user's, but not to read", nil, disk{user: "!"}, pyproject.Settings{}},
		{"UV_NO_CONFIG", []string{"UV_NO_CONFIG=1", "UV_RESOLUTION=lowest"}, disk{"/w/p/uv.toml": "prerelease = \"allow\"\n", user: "["}, pyproject.Settings{Resolution: "lowest"}},
		{"UV_CONFIG_FILE", []string{"UV_CONFIG_FILE=/my.toml", "UV_NO_CONFIG=1"}, disk{"/w/p/uv.toml": "[", user: "[", "/my.toml": "prerelease = \"allow\"\n"}, pyproject.Settings{Prerelease: "allow"}},
	} {
		env, err := ReadEnvironment(append(tt.env, "HOME=/home/u"), "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadSettings("/w/p", "/cwd", env, tt.disk.ReadFile)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.Transformer("empty", func(l []pyproject.Index) []pyproject.Index { return append([]pyproject.Index{}, l...) }),
			cmp.Transformer("emptyTexts", func(l []string) []string { return append([]string{}, l...) })); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestReadSettingsErrors(t *testing.T) {
	for _, tt := range []struct {
		env  string
		disk disk
		want string
	}{
		{"", disk{"/w/p/uv.toml": "keyring-provider = \"x\"\nconcurrent-downloads = 0\nallow-insecure-host = [1]\n"}, "/w/p/uv.toml:1: keyring-provider"},
		{"", disk{"/w/p/pyproject.toml": "[tool.uv]\nindex = [{ url = \"u\", authenticate = \"x\" }, { name = \"a/b\", url = \"u\" }]\n"}, "authenticate \"x\""},
		{"", disk{"/home/u/.config/uv/uv.toml": "index = 1\n"}, "/home/u/.config/uv/uv.toml:1"},
		{"", disk{"/etc/uv/uv.toml": "!"}, "permission"},
		{"", disk{"/w/p/uv.toml": "!"}, "permission"},
		{"UV_CONFIG_FILE=/no.toml", disk{}, "there is no \"/no.toml\""},
	} {
		env, err := ReadEnvironment([]string{"HOME=/home/u", tt.env}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadSettings("/w/p", "/cwd", env, tt.disk.ReadFile)
		if err == nil || fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.disk, err, tt.want)
		}
	}
}

func TestMirror(t *testing.T) {
	f, err := Read([]byte("[[tool.vpk.mirror]]\nfrom = \"https://a.example\"\nto = \"wheels\"\n[[tool.vpk.mirror]]\nfrom = \"https://b.example/x\"\nto = [\"https://c.example\", \"file:///d%20e\"]\n"), "p.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := []Mirror{{"https://a.example", []string{"/p/wheels"}}, {"https://b.example/x", []string{"https://c.example", "/d e"}}}
	if diff := cmp.Diff(want, []Mirror{f.Mirrors[0].In("/p"), f.Mirrors[1].In("/p")}); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct{ text, want string }{
		{"to = \"x\"", "\"from\" is missing"},
		{"from = \"x\"\nto = \"y\"", "is not an http or https URL"},
		{"from = \"https://u:sEcReT@a.example\"\nto = \"y\"", "has a user"},
		{"from = \"https://a.example\"", "\"to\" is missing"},
		{"from = \"https://a.example\"\nto = 1", "neither a string"},
		{"from = \"https://a.example\"\nto = [1]", "neither a string"},
		{"from = \"https://a.example\"\nto = \"https://u:sEcReT@[\"", "malformed"},
		{"from = \"https://a.example\"\nto = \"ftp://u:sEcReT@x\"", "scheme \"ftp\""},
		{"from = \"https://a.example\"\nto = \"https://x.example?token=sEcReT\"", "query"},
		{"form = \"https://a.example\"\nto = \"x\"", "p.toml:2: unknown key"},
	} {
		_, err := Read([]byte("[[tool.vpk.mirror]]\n"+tt.text), "p.toml")
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sEcReT") || !strings.Contains(err.Error(), "p.toml:") {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
	for _, text := range []string{"", "https://a.example", "=x", "a=b"} {
		if _, err := ParseMirror(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzParseMirror(f *testing.F) {
	f.Add("https://a.example=https://b.example/{filename}")
	f.Add("https://a.example/x=/srv/wheels")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMirror(text)
		if err != nil {
			return
		}
		if m.From+"="+m.To[0] != text {
			t.Errorf("%q is %q", text, m)
		}
		if to := m.In("/dir").To[0]; !strings.Contains(to, "://") && !strings.HasPrefix(to, "/") {
			t.Errorf("%q leads to the path %q", text, to)
		}
	})
}
