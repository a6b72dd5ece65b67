package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oddities are packages, each here for a reason, with a module that shows that it works.
var oddities = map[string]string{
	"requests":       "requests",
	"cryptography":   "cryptography.hazmat.bindings._rust", // abi3
	"numpy":          "numpy.linalg",                       // libraries of its own beside it
	"pillow":         "PIL.Image",
	"protobuf":       "google.protobuf.message", // a namespace with dots
	"zope.interface": "zope.interface",          // dots in the name
	"PyYAML":         "yaml",                    // capitals in the name
	"greenlet":       "greenlet",                // .data/headers
	"jupyter-core":   "jupyter_core, jupyter",   // a module beside the package
	"ruff":           "ruff",                    // .data/scripts: a program
	"setuptools":     "setuptools",              // a .pth, vendored dist-infos
	"lxml":           "lxml.etree",
	"pywin32-ctypes": "win32ctypes", // of another system, pure
	"six":            "six",         // a single module
	"uvloop":         "uvloop",
}

const oddManifest = `[project]
name = "oddities"
version = "0"
requires-python = ">=3.11"
dependencies = %s

[tool.vpk]
cmd = ["python", "main.py"]
`

// oddProgram is what the image runs: it imports all of them, looks for modules without bytecode, and starts the program.
const oddProgram = `import %s
import os, subprocess, sys

for name, module in sorted(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    if file.startswith("/app/.venv") and file.endswith(".py") and not os.path.exists(module.__cached__):
        print("no bytecode for", name)
print(numpy.linalg.det(numpy.eye(3)), yaml.safe_load("[1, 2]"))
print(subprocess.check_output(["ruff", "--version"], text=True).split()[0])
`

func TestOddWheels(t *testing.T) {
	t.Parallel()
	u, image := newUser(t), base(t, base12)
	project := u.path("project")
	if err := os.Mkdir(project, 0o755); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(oddities))
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	var imports []string
	for _, name := range names {
		imports = append(imports, oddities[name])
	}
	writeFile(t, filepath.Join(project, "pyproject.toml"), fmt.Sprintf(oddManifest, list))
	writeFile(t, filepath.Join(project, "main.py"), fmt.Sprintf(oddProgram, strings.Join(imports, ", ")))
	lock(t, project, fast)

	layout := "oci:" + u.path("image")
	r := u.pack(project, "--base", image, "-o", layout, "-o", "dir:"+u.path("files"))
	t.Logf("%d packages, %d modules, %.1f s", len(r.Packages), r.Bytecode.Modules, r.Seconds)
	if len(r.Packages) < len(names) || r.Bytecode.Modules < 1000 || len(r.Bytecode.Failures) > 0 {
		t.Errorf("%d packages, %d modules, no bytecode for %v", len(r.Packages), r.Bytecode.Modules, r.Bytecode.Failures)
	}
	if !exists(u.path("files", "app", ".venv", "include", "site", "python3.11", "greenlet", "greenlet.h")) {
		t.Error("the headers of greenlet are missing")
	}
	again := newUser(t)
	if second := again.pack(project, "--base", image, "--sandbox", "direct", "-o", "docker-archive:"+again.path("image.tar")); second.Digest != r.Digest {
		t.Errorf("packed again, in sandbox %s, it is %s, else %s", second.Bytecode.Sandbox, second.Digest, r.Digest)
	}

	u.needSandbox(layout)
	if out := u.does("run", layout); out != "1.0 [1, 2]\nruff" {
		t.Errorf("it says %q", out)
	}
}
