package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
)

func TestRead(t *testing.T) {
	got, err := Read([]byte("\xef\xbb\xbf"+`
[project]
name = "demo"
unknown = 1
[tool.uv]
anything = true
[tool.vpk]
base = "oci:base"
platforms = ["linux/amd64"]
cmd = ["uvicorn", "app:app"]
ports = [8000, "53/udp"]
user = "65532"
owner = "0:0"
collisions = "error"
compression = "zstd:19"
[tool.vpk.env]
A = "b"
[tool.vpk.labels]
"org.example.x" = "y"
`), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		Base: "oci:base", Platforms: []string{"linux/amd64"}, Cmd: []string{"uvicorn", "app:app"}, Ports: []Port{"8000/tcp", "53/udp"},
		User: "65532", Owner: "0:0", Collisions: "error", Compression: "zstd:19", Env: map[string]string{"A": "b"}, Labels: map[string]string{"org.example.x": "y"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrors(t *testing.T) {
	for _, test := range []struct{ text, want, hint string }{
		{"[tool.vpk]\nentrypont = [\"a\"]\n", `p.toml:2: unknown key "entrypont"`, `"entrypoint"`},
		{"[tool.vpk]\nzzzzzzz = 1\n", `unknown key "zzzzzzz"`, "known keys: annotations"},
		{"[tool.vpk]\nlabel = {a = 'b'}\n", "unknown key", `"labels"`},
		{"[tool.vpk.bytecode]\nstdlb = false\n", `p.toml:2: unknown key "bytecode.stdlb"`, `"stdlib"`},
		{"[tool.vpk.bytecode]\noptimize = 3\n", "p.toml:2: optimize 3 is not 0, 1 or 2", ""},
		{"[tool.vpk.bytecode]\noptimize = true\n", "p.toml:2", ""},
		{"[tool.vpk]\nbytecode = false\n", `p.toml:2:`, ""},
		{"[tool.vpk]\ncmd = \"uvicorn\"\n", `p.toml:2:7: in "tool.vpk.cmd": want an array of strings, got a string`, ""},
		{"[tool.vpk]\nenv = {A = 1}\n", `p.toml:2:12: in "tool.vpk.env": want a string, got an integer`, ""},
		{"[tool.vpk]\nports = [\n  1,\n  0,\n]\n", `p.toml:4: port "0"`, ""},
		{"[tool.vpk]\nworkdir = \"app\"\nuser = \"1:2:3\"\nports = [0]\n", "p.toml:2: workdir \"app\" is not an absolute path\np.toml:3: user \"1:2:3\" is not UID, UID:GID, NAME or NAME:GROUP\np.toml:4: port", ""},
		{"[tool.vpk]\nuser = \":\"\n", `p.toml:2: user ":"`, ""},
		{"[tool.vpk]\nuser = \"a b\"\n", `p.toml:2: user "a b"`, ""},
		{"[tool.vpk.env]\n\"A=B\" = \"\"\n", `p.toml:2: env name "A=B"`, ""},
		{"[tool.vpk]\nports = [65536]\n", "port", ""},
		{"[tool.vpk]\nports = [1.5]\n", "port", ""},
		{"[tool.vpk]\nworkdir = \"app\"\n", "absolute", ""},
		{"[tool.vpk]\nowner = \"root\"\n", "UID:GID", ""},
		{"[tool.vpk]\ncollisions = \"ignore\"\n", "collisions", ""},
		{"[tool.vpk]\nlayers = \"many\"\n", `p.toml:2: layers "many" is none of auto, single, per-package`, ""},
		{"[tool.vpk]\nlayers = 7\n", "p.toml:2: layers is neither a word", ""},
		{"[tool.vpk]\nlayer = \"auto\"\n", "unknown key", `"layers"`},
		{"[tool.vpk.layers]\nml = []\nbad = [\"[\"]\nworse = [1]\n", "p.toml:2: layer \"ml\" has no packages\np.toml:3: layer \"bad\": \"[\" is no pattern for names of packages\np.toml:4: layer \"worse\": 1 is no name", ""},
		{"[tool.vpk]\ncompression = \"zstd:23\"\n", `p.toml:2: compression "zstd:23" is not gzip, zstd`, ""},
		{"[tool.vpk]\nplatforms = [\"windows/amd64\"]\n", "linux/ARCH", ""},
		{"[tool.vpk]\nplatforms = [\"linux/s390x\"]\n", "not supported", ""},
		{"[tool.vpk]\ncmd = [\"\"]\n", "p.toml:2: the first word of cmd is empty", ""},
		{"[tool.vpk\n", "p.toml:1", ""},
	} {
		_, err := Read([]byte(test.text), "p.toml")
		if err == nil {
			t.Errorf("%q was accepted", test.text)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v (kind %d), want %q", test.text, err, fault.KindOf(err), test.want)
		}
		if hints := strings.Join(fault.Hints(err), "\n"); !strings.Contains(hints, test.hint) {
			t.Errorf("%q: hints %q, want %q", test.text, hints, test.hint)
		}
	}
}

// The list of keys that messages show is the list that is read.
func TestKeysAreTheFields(t *testing.T) {
	var b strings.Builder
	b.WriteString("[tool.vpk]\n")
	for _, key := range keys {
		switch key {
		case "env", "labels", "annotations":
			b.WriteString(key + " = {}\n")
		case "bytecode":
			for _, key := range bytecodeKeys {
				value, ok := map[string]string{"optimize": "1", "include": "[]", "exclude": "[]"}[key]
				if !ok {
					value = "false"
				}
				b.WriteString("bytecode." + key + " = " + value + "\n")
			}
		case "base", "package", "version", "user", "owner", "workdir", "collisions", "compression":
			b.WriteString(key + " = ''\n")
		case "layers":
			b.WriteString(key + " = 'single'\n")
		default:
			b.WriteString(key + " = []\n")
		}
	}
	if _, err := Read([]byte(b.String()), "p.toml"); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("[tool.vpk]\ncmd = [\"a\"]\nports = [1]\n")
	f.Add("[tool.vpk.env]\nA = 'b'\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Read([]byte(text), "p.toml")
		if err != nil {
			if fault.KindOf(err) != fault.Usage {
				t.Errorf("kind of %v", err)
			}
			return
		}
		if problems := file.check(); problems != nil {
			t.Errorf("accepted what check refuses: %v", problems)
		}
	})
}

func TestLayers(t *testing.T) {
	for text, want := range map[string]Layers{
		"":                                     {},
		"layers = 'per-package'":               {Mode: "per-package"},
		"layers = {z = 'numpy', a = ['A_b*']}": {Groups: []Group{{"a", []string{"a-b*"}}, {"z", []string{"numpy"}}}},
	} {
		f, err := Read([]byte("[tool.vpk]\n"+text), "p.toml")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.Layers); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	g := Group{"g", []string{"torch*", "a-?"}}
	for name, want := range map[string]bool{"torch": true, "Torch_Vision": true, "pytorch": false, "a.b": true, "a-bc": false, "": false} {
		if g.Match(name) != want {
			t.Errorf("Match(%q) = %v", name, !want)
		}
	}
}
