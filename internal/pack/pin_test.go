package pack

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/config"
	"vpk/internal/fault"
)

func TestSetBase(t *testing.T) {
	for name, test := range map[string]struct{ before, after string }{
		"no table":        {"[project]\nname = \"x\"", "[project]\nname = \"x\"\n\n[tool.vpk]\nbase = \"new\"\n"},
		"no key":          {"[tool.vpk]\ncmd = [\"a\"]\n", "[tool.vpk]\nbase = \"new\"\ncmd = [\"a\"]\n"},
		"key":             {"[tool.vpk] # c\ncmd = [\n\"base = 'x'\"]\n  base  =  'old' # why\n[tool.uv]\nbase = 'other'\n", "[tool.vpk] # c\ncmd = [\n\"base = 'x'\"]\n  base  =  \"new\" # why\n[tool.uv]\nbase = 'other'\n"},
		"another's key":   {"[tool.vpk]\n[tool.vpk.env]\nbase = 'x'\n", "[tool.vpk]\nbase = \"new\"\n[tool.vpk.env]\nbase = 'x'\n"},
		"subtable alone":  {"[tool.vpk.env]\nbase = 'x'\n", "[tool.vpk.env]\nbase = 'x'\n\n[tool.vpk]\nbase = \"new\"\n"},
		"table at end":    {"[tool.vpk]", "[tool.vpk]\nbase = \"new\"\n"},
		"spaces in names": {"[ tool . vpk ]\nbase = \"\"\n", "[ tool . vpk ]\nbase = \"new\"\n"},
	} {
		got := setBase([]byte(test.before), "new")
		if string(got) != test.after {
			t.Errorf("%s: %q, want %q", name, got, test.after)
		}
		before, err := config.Read([]byte(test.before), "p.toml")
		if err != nil {
			t.Fatal(err)
		}
		if err := sameBut(before, got, "p.toml", "new"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the editing of text would get wrong is refused, not written.
func TestSetBaseRefuses(t *testing.T) {
	for _, text := range []string{"[tool]\nvpk = { cmd = ['a'] }\n", "[tool.vpk]\nbase = '''old'''\n", "tool.vpk.cmd = ['a']\n", "[tool]\nvpk.base = 'old'\n"} {
		before, err := config.Read([]byte(text), "p.toml")
		if err != nil {
			t.Fatal(err)
		}
		got := setBase([]byte(text), "new")
		// The error is about the user's file; nothing is said of the text that was not written.
		if err := sameBut(before, got, "p.toml", "new"); err == nil || strings.Contains(err.Error(), "p.toml") || fault.Hints(err) == nil {
			t.Errorf("%q became %q: %v", text, got, err)
		}
	}
}

func FuzzSetBase(f *testing.F) {
	f.Add("[project]\nname = 'x'\n[tool.vpk]\nbase = 'old'\ncmd = ['a']\n")
	f.Add("[tool.vpk]\n[tool.vpk.env]\nbase = 'x'\n")
	f.Fuzz(func(t *testing.T, text string) {
		before, err := config.Read([]byte(text), "p.toml")
		if err != nil {
			return
		}
		got := setBase([]byte(text), "new")
		if sameBut(before, got, "p.toml", "new") != nil {
			return
		}
		if again := setBase(got, "new"); !bytes.Equal(again, got) {
			t.Errorf("%q became %q, then %q", text, got, again)
		}
	})
}

func TestUser(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0:::\nnonroot:x:65532:65533:::\nbroken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][2]int{"": {0, 0}, "65532:65532": {65532, 65532}, "65532": {65532, 65533}, "nonroot": {65532, 65533}, "nonroot:7": {65532, 7}, "7": {7, 0}} {
		uid, gid, err := user(text, root)
		if err != nil || [2]int{uid, gid} != want {
			t.Errorf("user(%q) = %d, %d, %v, want %v", text, uid, gid, err, want)
		}
	}
	for _, text := range []string{"nobody", "nonroot:staff", ":1", "-1", "-1:0", "0:-1"} {
		if _, _, err := user(text, root); err == nil {
			t.Errorf("user(%q) was accepted", text)
		}
	}
	// A link leads nowhere outside of the image.
	hostile := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(hostile, "etc"), 0o755), os.Symlink("/dev/zero", filepath.Join(hostile, "etc/passwd"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := user("nonroot", hostile); err == nil {
		t.Error("passwd was read through a link of the image")
	}
}

func TestReplaceFileKeepsLinksAndModes(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || string(data) != "new" || info.Mode() != 0o600 {
		t.Errorf("%q, %v, %v, %v", data, info, err, statErr)
	}
	if target, err := os.Readlink(link); err != nil || target != "file" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}
