// Package vpk holds the test of the import graph: data flows one way, and a reader can rely on it.
package vpk

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// anyone may be imported by everyone: leaves without a view of the whole.
var anyone = []string{
	"lockfile/pep440", "lockfile/pep508", "wheel/tag", "venv/tree", "internal/cas", "internal/fault", "internal/inflate", "internal/progress", "internal/spelling", "internal/trace", "internal/transport",
}

// rooms lists what each package may import of this module beside what anyone may. A package that is not listed is an error.
var rooms = map[string][]string{
	"lockfile/pep440":    {},
	"lockfile/pep508":    {},
	"lockfile/pyproject": {"lockfile/tomlpos"},
	"lockfile":           {"lockfile/pyproject", "lockfile/tomlpos"},
	"lockfile/backend":   {"lockfile/pyproject", "lockfile/tomlpos"},
	"lockfile/tomlpos":   {},
	"wheel/tag":          {},
	"wheel":              {},
	"wheel/index":        {},
	"venv/tree":          {},
	"venv/project":       {},
	"venv":               {"wheel"},
	"pyc":                {"pyc/marshal"},
	"pyc/marshal":        {},
	"layer/base":         {},
	"layer":              {},
	"layer/diff":         {"layer/base"},
	"internal/cas":       {},
	"internal/fault":     {},
	"internal/inflate":   {},
	"internal/progress":  {},
	"internal/spelling":  {},
	"internal/trace":     {},
	"internal/transport": {},
	"internal/config":    {"lockfile/pyproject", "lockfile/tomlpos"},
	"internal/sandbox":   {},
	"internal/pack": {
		"internal/config", "internal/sandbox", "layer", "layer/base", "layer/diff", "lockfile", "lockfile/backend", "lockfile/pyproject", "pyc", "venv", "venv/project", "wheel", "wheel/index",
	},
	"cmd/vpk": {"internal/config", "internal/pack", "internal/sandbox", "layer"},

	// For tests.
	"internal/cas/castest": {},
	"internal/e2e":         {},
	"internal/peer":        {},
	"internal/testwheel":   {},
	"layer/base/basetest":  {"layer/base"},
}

// support is what only tests import: it imports testing, which the program must not contain.
var support = []string{"internal/cas/castest", "internal/peer", "internal/testwheel", "layer/base/basetest"}

// leaves import no room; of the module they import only each other, and these not even all of that.
var leaves = map[string][]string{
	"lockfile/pep440":   {},
	"lockfile/pep508":   {"lockfile/pep440"},
	"wheel/tag":         {},
	"pyc/marshal":       {},
	"venv/tree":         {"internal/fault"},
	"internal/cas":      {"internal/fault"},
	"internal/fault":    {},
	"internal/progress": {},
	"internal/spelling": {},
	"internal/trace":    {},
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(pkg, "vpk/")
		if pkg == "vpk" {
			continue
		}
		allowed, ok := rooms[pkg]
		if !ok {
			t.Errorf("%s is not in the list of rooms", pkg)
			continue
		}
		seen[pkg] = true
		allowed = slices.Concat(allowed, anyone)
		if only, ok := leaves[pkg]; ok {
			allowed = only
		}
		for imported := range strings.FieldsSeq(imports) {
			imported, ours := strings.CutPrefix(imported, "vpk/")
			if ours && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s", pkg, imported)
			}
			if !slices.Contains(support, pkg) && (imported == "testing" || slices.Contains(support, imported)) {
				t.Errorf("%s imports %s outside its tests", pkg, imported)
			}
		}
	}
	for pkg := range rooms {
		if !seen[pkg] {
			t.Errorf("%s is in the list of rooms and does not exist", pkg)
		}
	}
}
