package lockfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/lockfile"
)

// TestFindProject finds workspaces from every place that uv finds them from, and no others.
func TestFindProject(t *testing.T) {
	top := t.TempDir()
	write := func(dir, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			return
		}
		if err := os.WriteFile(filepath.Join(top, dir, "pyproject.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	project := "[project]\nname = \"p\"\nversion = \"1\"\n"
	write("ws", project+"[tool.uv.workspace]\nmembers = [\"packages/*\", \"./apps/web\"]\nexclude = [\"packages/old\", \"packages/[x-z]*\"]\n")
	for _, dir := range []string{"packages/a", "packages/a/nested", "packages/old", "packages/y", "apps/web", "apps/other"} {
		write("ws/"+dir, project)
	}
	write("ws/packages/a/src/deep", "")
	write("virtual", "[tool.uv.workspace]\nmembers = [\"*\"]\n")
	write("virtual/a", project)
	write("virtual/settings", "[tool.other]\n")
	write("alone", project)
	write("alone/example", project)
	write("own", project+"[tool.uv.workspace]\nmembers = [\"*\"]\n")
	write("own/inner", project+"[tool.uv.workspace]\n")
	write("broken", "[tool.uv.workspace]\nmembers = [\"[a\"]\n")
	write("broken/b", project)
	write("deep", "[tool.uv.workspace]\nmembers = [\"**/libs/*\"]\n")
	write("deep/libs/a", project)
	write("deep/x/y/libs/b", project)
	write("empty", "")
	disk := lockfile.Disk{ReadFile: os.ReadFile, ReadDir: os.ReadDir}
	for _, c := range []struct{ dir, project, root string }{
		{"ws", "ws", "ws"},
		{"ws/packages", "ws", "ws"},
		{"ws/packages/a", "ws/packages/a", "ws"},
		{"ws/packages/a/src/deep", "ws/packages/a", "ws"},
		// The project above it is no workspace, whatever is above that.
		{"ws/packages/a/nested", "ws/packages/a/nested", "ws/packages/a/nested"},
		{"ws/packages/old", "ws/packages/old", "ws/packages/old"},
		{"ws/packages/y", "ws/packages/y", "ws/packages/y"},
		{"ws/apps/web", "ws/apps/web", "ws"},
		{"ws/apps/other", "ws/apps/other", "ws/apps/other"},
		{"virtual", "virtual", "virtual"},
		{"virtual/a", "virtual/a", "virtual"},
		{"virtual/settings", "virtual/settings", "virtual/settings"},
		{"alone/example", "alone/example", "alone/example"},
		{"own/inner", "own/inner", "own/inner"},
		{"deep/libs/a", "deep/libs/a", "deep"},
		{"deep/x/y/libs/b", "deep/x/y/libs/b", "deep"},
	} {
		project, root, err := lockfile.FindProject(filepath.Join(top, c.dir), disk)
		if err != nil || project != filepath.Join(top, c.project) || root != filepath.Join(top, c.root) {
			t.Errorf("%s: got %s of %s, %v; want %s of %s", c.dir, project, root, err, c.project, c.root)
		}
	}
	if _, _, err := lockfile.FindProject(filepath.Join(top, "empty"), disk); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no project: got %v", err)
	}
	_, _, err := lockfile.FindProject(filepath.Join(top, "broken/b"), disk)
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "members of [tool.uv.workspace]") {
		t.Errorf("a broken pattern: got %v", err)
	}
}
