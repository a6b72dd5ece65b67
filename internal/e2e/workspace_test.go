package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

// workspaceFiles are a workspace of three members, a project inside of one that nobody needs, and one outside of it.
var workspaceFiles = map[string]string{
	"ws/pyproject.toml": `[tool.uv.workspace]
members = ["packages/*"]
[tool.vpk]
env = { FROM_ROOT = "yes" }
cmd = ["python", "-c", "raise SystemExit('the cmd of the root')"]
`,
	"ws/.dockerignore":      "**/*.md\n",
	"ws/root.py":            "",
	"ws/packages/notes.txt": "",
	"ws/packages/api/pyproject.toml": `[project]
name = "api"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["core", "shared"]
[project.scripts]
serve-api = "api:main"
[project.entry-points."demo.plugins"]
api = "api:main"
[tool.uv.sources]
core = { workspace = true }
shared = { path = "../../../shared", editable = true }
[build-system]
requires = ["uv_build>=0.11,<0.12"]
build-backend = "uv_build"
[tool.vpk]
cmd = ["serve-api"]
`,
	"ws/packages/api/.dockerignore": "secret.txt\n",
	"ws/packages/api/secret.txt":    "",
	"ws/packages/api/README.md":     "",
	"ws/packages/api/data.txt":      "data beside the code",
	"ws/packages/api/src/api/__init__.py": `import os
from importlib.metadata import entry_points, requires, version

import core
import shared


def main():
    print(os.getcwd(), os.environ["FROM_ROOT"], open("data.txt").read())
    print(core.__file__, shared.__file__, core.__cached__ is not None and os.path.exists(core.__cached__))
    print(version("api"), version("core"), version("shared"), requires("api"))
    print(sorted(e.value for e in entry_points(group="demo.plugins")))
`,
	"ws/packages/api/plugin/pyproject.toml": "[project]\nname = \"plugin\"\nversion = \"1\"\n",
	"ws/packages/core/pyproject.toml": `[project]
name = "core"
dynamic = ["version"]
requires-python = ">=3.11"
[project.entry-points."demo.plugins"]
core = "core:plugin"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.version]
path = "core/__init__.py"
`,
	"ws/packages/core/core/__init__.py": "__version__ = \"2.5\"\n",
	"ws/packages/web/pyproject.toml": `[project]
name = "web"
version = "1"
requires-python = ">=3.11"
dependencies = ["core"]
[tool.uv.sources]
core = { workspace = true }
[project.entry-points."demo.plugins"]
web = "web:plugin"
[build-system]
requires = ["maturin"]
build-backend = "maturin"
`,
	"ws/packages/web/web.py": "",
	"shared/pyproject.toml": `[project]
name = "shared"
version = "3"
requires-python = ">=3.11"
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
`,
	"shared/shared.py": "",
}

// TestWorkspaceMember packs one member of a workspace from where it is, runs it, and finds nothing of the others.
func TestWorkspaceMember(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for name, text := range workspaceFiles {
		if err := os.MkdirAll(filepath.Dir(u.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, u.path(name), text)
	}
	root, member := u.path("ws"), u.path("ws/packages/api")
	// uv asks the backend of core for its version.
	uv := []string{"UV_CACHE_DIR=" + keep("uv"), "UV_PYTHON_DOWNLOADS=never"}
	if _, err := try(t, uv, peer.UV(t), "lock", "--quiet", "--python", peer.Python(t), "--project", root); err != nil {
		peer.Missing(t, "uv cannot lock: %v", err)
	}
	image := base(t, base12)

	r := u.pack(member, "--base", image, "-o", "oci:"+u.path("image"), "-o", "dir:"+u.path("tree"))
	var app []string
	for name := range readTree(t, u.path("tree/app")) {
		own := !strings.HasPrefix(name, ".venv/") || strings.HasPrefix(name, ".venv/src/") || strings.HasSuffix(name, ".pth")
		if own && !strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".pyc") {
			app = append(app, name)
		}
	}
	slices.Sort(app)
	if diff := cmp.Diff([]string{
		".venv/lib/python3.11/site-packages/api.pth", ".venv/lib/python3.11/site-packages/core.pth", ".venv/lib/python3.11/site-packages/shared.pth",
		".venv/src/shared/pyproject.toml", ".venv/src/shared/shared.py",
		"packages/api/.dockerignore", "packages/api/data.txt", "packages/api/plugin/pyproject.toml", "packages/api/pyproject.toml", "packages/api/src/api/__init__.py",
		"packages/core/core/__init__.py", "packages/core/pyproject.toml",
	}, app); diff != "" {
		t.Errorf("the image has (-want +got)\n%s", diff)
	}
	config := configOf(t, imageIn(t, u.path("image"), r.Digest)).Config
	if config.WorkingDir != "/app/packages/api" || !slices.Equal(config.Cmd, []string{"/app/.venv/bin/serve-api"}) {
		t.Errorf("working directory %q, cmd %q", config.WorkingDir, config.Cmd)
	}
	u.needSandbox("oci:" + u.path("image"))
	want := `/app/packages/api yes data beside the code
/app/packages/core/core/__init__.py /app/.venv/src/shared/shared.py True
1.0 2.5 3 ['core', 'shared']
['api:main', 'core:plugin']`
	if got := u.does("run", "oci:"+u.path("image")); got != want {
		t.Errorf("it printed\n%s\nwant\n%s", got, want)
	}

	// The same from the root, by name; and what the code says changes no dependency.
	if same := u.pack(root, "--package", "api", "--base", image, "-o", "oci:"+u.path("same")); same.Digest != r.Digest {
		t.Errorf("from the root the image is %s, from the member %s", same.Digest, r.Digest)
	}
	edit(t, filepath.Join(root, "packages/core/core/__init__.py"), "2.5", "2.6")
	changed := u.pack(filepath.Join(member, "src"), "--base", image, "-o", "oci:"+u.path("changed"))
	for i, l := range changed.Layers {
		if same := l.Digest == r.Layers[i].Digest; same != (l.Name != "app") {
			t.Errorf("layer %s is the same: %v", l.Name, same)
		}
	}
	u.leavesNothing()
}
