package venv

import (
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

// TestInstallLocal gives a project that stays where it is all that others look for in an environment.
func TestInstallLocal(t *testing.T) {
	l := Local{
		Name: "My.Project", Version: "1.0+local",
		Metadata:    []byte("Metadata-Version: 2.4\nName: My.Project\nVersion: 1.0+local\n"),
		EntryPoints: []byte("[console_scripts]\nmine = my.project:main\n\n[plugins]\na = my\n"),
		Licenses:    map[string][]byte{"sub/LICENSE": []byte("text")},
		Roots:       []string{"/app/packages/my/src", "/app/packages/my"},
	}
	in, err := InstallLocal(spec, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Part.Check(); err != nil {
		t.Error(err)
	}
	const site, info = "app/.venv/lib/python3.11/site-packages/", "app/.venv/lib/python3.11/site-packages/my_project-1.0+local.dist-info/"
	var paths []string
	for _, e := range in.Part.Entries {
		paths = append(paths, e.Path)
	}
	equal(t, paths, []string{
		"app/.venv/bin/mine", info + "INSTALLER", info + "METADATA", info + "RECORD", info + "REQUESTED", info + "WHEEL", info + "entry_points.txt",
		info + "licenses/sub/LICENSE", site + "my_project.pth",
	})
	equal(t, content(t, in.entry(site+"my_project.pth")), "/app/packages/my/src\n/app/packages/my\n")
	equal(t, content(t, in.entry(info+"INSTALLER")), "vpk")
	script := content(t, in.entry("app/.venv/bin/mine"))
	if !strings.HasPrefix(script, "#!/app/.venv/bin/python\n") || !strings.Contains(script, "from my.project import main\n") {
		t.Errorf("script:\n%s", script)
	}
	var rows []string
	for line := range strings.Lines(content(t, in.entry(info+"RECORD"))) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ",")
		if rest == "," {
			name += " without hash"
		}
		rows = append(rows, name)
	}
	equal(t, rows, []string{
		"../../../bin/mine", "my_project-1.0+local.dist-info/INSTALLER", "my_project-1.0+local.dist-info/METADATA", "my_project-1.0+local.dist-info/RECORD without hash",
		"my_project-1.0+local.dist-info/REQUESTED", "my_project-1.0+local.dist-info/WHEEL", "my_project-1.0+local.dist-info/entry_points.txt",
		"my_project-1.0+local.dist-info/licenses/sub/LICENSE", "my_project.pth",
	})
	if !IsLocal(in.Part) || IsLocal(tree.Part{Name: "wheel/x-1"}) {
		t.Errorf("part is named %q", in.Part.Name)
	}
	for _, e := range in.Modules().Entries {
		if strings.HasSuffix(e.Path, ".py") {
			t.Errorf("there is a module, %s", e.Path)
		}
	}
	changed := l
	changed.Roots = []string{"/elsewhere"}
	other, err := InstallLocal(spec, changed)
	if err != nil || other.Part.Key == in.Part.Key {
		t.Errorf("the key does not tell source roots apart: %v", err)
	}
	nothing, err := InstallLocal(spec, Local{Name: "empty", Version: "1"})
	if err != nil || len(nothing.Part.Entries) != 5 {
		t.Errorf("a project without modules: %+v, %v", nothing.Part.Entries, err)
	}
}

func TestInstallLocalRefuses(t *testing.T) {
	for want, l := range map[string]Local{
		"cannot be a line of a .pth file": {Roots: []string{"relative"}},
		`"/a\nimport os" cannot be`:       {Roots: []string{"/a\nimport os"}},
		`"/a " cannot be`:                 {Roots: []string{"/a "}},
		"reserved for the interpreter":    {EntryPoints: []byte("[console_scripts]\npython = a:b\n")},
		`is a path`:                       {EntryPoints: []byte("[console_scripts]\n../x = a:b\n")},
		`x" leaves the environment`:       {Licenses: map[string][]byte{"../../../../../../../../x": nil}},
	} {
		l.Name, l.Version = "a", "1"
		_, err := InstallLocal(spec, l)
		if fault.KindOf(err) != fault.Package || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
