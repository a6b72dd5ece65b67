package pack

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/layer/base/basetest"
	"vpk/venv/tree"
)

// fakeFiles are a fake base's files with an environment on top.
func fakeFiles(t *testing.T) files {
	t.Helper()
	ref, err := base.ParseRef(fakeBase(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := base.Open(t.Context(), ref, sources(t, t.TempDir()).baseOptions("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	script := func(name, first string) tree.Entry {
		return tree.Entry{Path: "app/.venv/bin/" + name, Kind: tree.File, Mode: 0o755, Content: tree.Bytes(first + "\n")}
	}
	return newFiles(tree.Tree{Parts: []tree.Part{{Name: "x", Entries: []tree.Entry{
		{Path: "app/.venv/bin/python", Kind: tree.Link, Mode: 0o777, Target: "/usr/bin/python3.11"},
		{Path: "app/.venv/bin/python3", Kind: tree.Link, Mode: 0o777, Target: "python"},
		script("serve", "#!/app/.venv/bin/python"),
		script("shell", "#!/bin/sh"),
		{Path: "app/.venv/bin/data", Kind: tree.File, Mode: 0o644, Content: tree.Bytes("")},
		{Path: "app/.venv/bin/dangling", Kind: tree.Link, Mode: 0o777, Target: "/nowhere"},
		{Path: "app/.venv/bin/loop", Kind: tree.Link, Mode: 0o777, Target: "loop"},
		{Path: "app/app.py", Kind: tree.File, Mode: 0o644, Content: tree.Bytes("")},
		{Path: "app/run", Kind: tree.File, Mode: 0o755, Content: tree.Bytes("#!/usr/bin/python3\n")},
	}}}}, b.Files)
}

func TestImageConfig(t *testing.T) {
	f := fakeFiles(t)
	baseConfig, _ := basetest.Python(debian12)
	env := []string{"PATH=/app/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	standard := layer.Config{User: "65532:65532", WorkingDir: "/app", Env: env}
	for name, test := range map[string]struct {
		config  config.File
		scripts []string
		want    func(*layer.Config)
	}{
		"nothing":                {config.File{}, nil, func(c *layer.Config) { c.Cmd = []string{"/app/.venv/bin/python"} }},
		"the only script":        {config.File{}, []string{"serve"}, func(c *layer.Config) { c.Cmd = []string{"/app/.venv/bin/serve"} }},
		"a script not installed": {config.File{}, []string{"absent"}, func(c *layer.Config) { c.Cmd = []string{"/app/.venv/bin/python"} }},
		"two scripts":            {config.File{}, []string{"serve", "x"}, func(c *layer.Config) { c.Cmd = []string{"/app/.venv/bin/python"} }},
		"cmd":                    {config.File{Cmd: []string{"python", "-m", "x"}}, nil, func(c *layer.Config) { c.Cmd = []string{"/app/.venv/bin/python", "-m", "x"} }},
		"cmd of the base":        {config.File{Cmd: []string{"python3.11"}}, nil, func(c *layer.Config) { c.Cmd = []string{"/usr/bin/python3.11"} }},
		"absolute":               {config.File{Cmd: []string{"/usr/bin/../bin/python3"}}, nil, func(c *layer.Config) { c.Cmd = []string{"/usr/bin/python3"} }},
		"relative":               {config.File{Cmd: []string{"./run"}}, nil, func(c *layer.Config) { c.Cmd = []string{"/app/run"} }},
		"entrypoint": {config.File{Entrypoint: []string{"serve", "a"}, Cmd: []string{"not a program"}}, nil, func(c *layer.Config) {
			c.Entrypoint, c.Cmd = []string{"/app/.venv/bin/serve", "a"}, []string{"not a program"}
		}},
		"entrypoint alone": {config.File{Entrypoint: []string{"serve"}}, nil, func(c *layer.Config) { c.Entrypoint = []string{"/app/.venv/bin/serve"} }},
		"all else": {config.File{User: "0", Workdir: "/tmp", Ports: []config.Port{"1/udp"}, Env: map[string]string{"B": "b", "A": "a", "PYTHONUNBUFFERED": ""}}, nil, func(c *layer.Config) {
			c.User, c.WorkingDir, c.ExposedPorts, c.Cmd = "0", "/tmp", []string{"1/udp"}, []string{"/app/.venv/bin/python"}
			c.Env = append(slices.Clone(env[:2]), "PYTHONUNBUFFERED=", "A=a", "B=b")
		}},
		"a search path of one's own": {config.File{Cmd: []string{"serve"}, Env: map[string]string{"PATH": "/app/.venv/bin"}}, nil, func(c *layer.Config) {
			c.Cmd, c.Env = []string{"/app/.venv/bin/serve"}, append([]string{"PATH=/app/.venv/bin"}, env[1:]...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := imageConfig(test.config, baseConfig.Config.Env, f, test.scripts)
			if err != nil {
				t.Fatal(err)
			}
			want := standard
			test.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	f := fakeFiles(t)
	for word, want := range map[string]string{
		"srve": `did you mean "serve"?`, "sh": "programs of the environment", "data": "programs", "dangling": "programs", "loop": "programs",
		"/usr/bin": "programs", "/etc/nothing": "programs", "./no.py": "programs",
		"./app.py": `["python", "./app.py"], or make it executable`, "app.py": "make it executable", "run": `write "./run"`, "shell": "name the program",
	} {
		_, err := f.command("cmd", word, "/app/.venv/bin:/usr/bin", "/app")
		if fault.KindOf(err) != fault.Usage || !strings.Contains(strings.Join(fault.Hints(err), "\n"), want) {
			t.Errorf("command(%q): %v, hints %q, want %q", word, err, fault.Hints(err), want)
		}
	}
}
