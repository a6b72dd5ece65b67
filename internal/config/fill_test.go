package config

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFill takes each key that is lacking, but for those of one project alone.
func TestFill(t *testing.T) {
	root, err := Read([]byte(`[tool.vpk]
base = "root"
platforms = ["linux/arm64"]
package = "root"
packages = ["root"]
version = "1"
extras = ["root"]
groups = ["root"]
entrypoint = ["root"]
cmd = ["root"]
env = { ROOT = "1" }
user = "1"
owner = "1:1"
workdir = "/root"
ports = [1]
labels = { root = "1" }
annotations = { root = "1" }
include = ["root"]
exclude = ["root"]
collisions = "error"
compression = "zstd"
layers = "single"
bytecode.stdlib = false
[[tool.vpk.mirror]]
from = "https://a.example/"
to = "https://b.example/"
`), "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := root
	want.Package, want.Packages, want.Version, want.Include, want.Exclude = "", nil, "", nil, nil
	if diff := cmp.Diff(want, File{}.Fill(root)); diff != "" {
		t.Errorf("an empty table (-want +got)\n%s", diff)
	}
	for i := range reflect.ValueOf(root).NumField() {
		if reflect.ValueOf(root).Field(i).IsZero() {
			t.Errorf("the test says nothing of %s", reflect.TypeOf(root).Field(i).Name)
		}
	}
	member := File{Base: "member", Cmd: []string{}, Env: map[string]string{"MEMBER": "1"}, Packages: []string{"src/m"}}
	got := member.Fill(root)
	want.Base, want.Cmd, want.Env, want.Packages = member.Base, member.Cmd, member.Env, member.Packages
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a member (-want +got)\n%s", diff)
	}
	if root.Package != "root" {
		t.Error("the root's table was changed")
	}
}
