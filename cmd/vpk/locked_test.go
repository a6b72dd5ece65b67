package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/peer"
)

// lockedSetups are settings around one lock, in which pkg is from R, a flat one from L and one of a named index from N. Beside
// what they say there is a default index of another name, for what uv's own is vpk cannot know.
var lockedSetups = []struct {
	name  string
	tool  string // after [tool.uv]
	env   []string
	files map[string]string // below the home directory, or beside it
}{
	{name: "R is not named", tool: "index-url = \"https://d.example/simple\"\n"},
	{name: "index", tool: "index-url = \"https://d.example/simple\"\n[[tool.uv.index]]\nurl = \"R\"\n"},
	{name: "index with a password", tool: "index-url = \"https://d.example/simple\"\n[[tool.uv.index]]\nurl = \"https://u:p@r.example/simple\"\n"},
	{name: "index with a slash more", tool: "index-url = \"https://d.example/simple\"\n[[tool.uv.index]]\nurl = \"R/\"\n"},
	{name: "default index", tool: "[[tool.uv.index]]\nurl = \"R\"\ndefault = true\n"},
	{name: "second default index", tool: "[[tool.uv.index]]\nurl = \"https://d.example/simple\"\ndefault = true\n[[tool.uv.index]]\nurl = \"R\"\ndefault = true\n"},
	{name: "second of a name", tool: "index-url = \"https://d.example/simple\"\n[[tool.uv.index]]\nname = \"a\"\nurl = \"https://e.example/simple\"\n[[tool.uv.index]]\nname = \"a\"\nurl = \"R\"\n"},
	{name: "index-url", tool: "index-url = \"R\"\n"},
	{name: "extra-index-url", tool: "index-url = \"https://d.example/simple\"\nextra-index-url = [\"R\"]\n"},
	{name: "find-links", tool: "index-url = \"https://d.example/simple\"\nfind-links = [\"R\"]\n"},
	{name: "no-index", tool: "no-index = true\nindex-url = \"R\"\n"},
	{name: "UV_DEFAULT_INDEX", env: []string{"UV_DEFAULT_INDEX=R"}},
	{name: "UV_DEFAULT_INDEX of another", env: []string{"UV_DEFAULT_INDEX=https://d.example/simple"}},
	{name: "UV_DEFAULT_INDEX before a default", env: []string{"UV_DEFAULT_INDEX=https://d.example/simple"}, tool: "index-url = \"R\"\n"},
	{name: "UV_INDEX", env: []string{"UV_INDEX=R", "UV_DEFAULT_INDEX=https://d.example/simple"}},
	{name: "UV_INDEX with a name", env: []string{"UV_INDEX=https://e.example a=R", "UV_DEFAULT_INDEX=https://d.example/simple"}},
	{name: "UV_INDEX, name taken", env: []string{"UV_INDEX=a=https://e.example", "UV_DEFAULT_INDEX=https://d.example/simple"}, tool: "[[tool.uv.index]]\nname = \"a\"\nurl = \"R\"\n"},
	{name: "UV_EXTRA_INDEX_URL", env: []string{"UV_EXTRA_INDEX_URL=https://e.example R", "UV_INDEX_URL=https://d.example/simple"}},
	{name: "UV_INDEX_URL", env: []string{"UV_INDEX_URL=R"}},
	{name: "UV_FIND_LINKS", env: []string{"UV_FIND_LINKS=https://e.example/,R", "UV_INDEX_URL=https://d.example/simple"}},
	{name: "UV_NO_INDEX", env: []string{"UV_NO_INDEX=1"}, tool: "index-url = \"R\"\n"},
	{name: "the user's", tool: "index-url = \"https://d.example/simple\"\n", files: map[string]string{".config/uv/uv.toml": "index = [{ url = \"R\" }]\n"}},
	{name: "the user's default", tool: "offline = true\n", files: map[string]string{".config/uv/uv.toml": "index-url = \"R\"\n"}},
	{name: "the user's default after the project's", tool: "index-url = \"https://d.example/simple\"\n", files: map[string]string{".config/uv/uv.toml": "index-url = \"R\"\n"}},
	{name: "the user's, not read", env: []string{"UV_NO_CONFIG=true", "UV_INDEX_URL=https://d.example/simple"}, files: map[string]string{".config/uv/uv.toml": "index = [{ url = \"R\" }]\n"}},
	{name: "uv.toml in place of [tool.uv]", tool: "index-url = \"R\"\n", files: map[string]string{"../project/uv.toml": "index-url = \"https://d.example/simple\"\n"}},
	{name: "uv.toml", files: map[string]string{"../project/uv.toml": "index-url = \"R\"\n"}},
	{name: "above the project", files: map[string]string{"../uv.toml": "index-url = \"R\"\n"}},
	{name: "resolution", env: []string{"UV_RESOLUTION=lowest", "UV_INDEX_URL=R"}},
	{name: "the user's resolution", tool: "index-url = \"R\"\n", files: map[string]string{".config/uv/uv.toml": "resolution = \"lowest\"\n"}},
	{name: "the user's resolution after the project's", tool: "index-url = \"R\"\nresolution = \"highest\"\n", files: map[string]string{".config/uv/uv.toml": "resolution = \"lowest\"\n"}},
	{name: "prerelease", env: []string{"UV_PRERELEASE=allow", "UV_INDEX_URL=R"}},
	{name: "fork-strategy", env: []string{"UV_FORK_STRATEGY=fewest", "UV_INDEX_URL=R"}},
	{name: "exclude-newer", env: []string{"UV_EXCLUDE_NEWER=2025-01-01", "UV_INDEX_URL=R"}},
	{name: "source of a named index", tool: "index-url = \"R\"\n[tool.uv.sources]\npkg = { index = \"n\" }\n[[tool.uv.index]]\nname = \"n\"\nurl = \"R\"\n"},
	{name: "source of an index that the environment names", env: []string{"UV_INDEX=n=R"}, tool: "[tool.uv.sources]\npkg = { index = \"n\" }\n[[tool.uv.index]]\nname = \"n\"\nurl = \"https://e.example/simple\"\n"},
}

// TestLockedLikeUV compares what --locked thinks of a lock with `uv lock --check --offline`, for settings of all places.
func TestLockedLikeUV(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	uv, python := peer.UV(t), peer.Python(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	place := strings.NewReplacer("\"R", "\"https://r.example/simple", "=R", "=https://r.example/simple", " R", " https://r.example/simple", ",R", ",https://r.example/simple")
	fresh, stale := 0, 0
	for i, now := range lockedSetups {
		if i%2 != 0 && !peer.InFull() {
			continue
		}
		t.Run(now.name, func(t *testing.T) {
			top := t.TempDir()
			project := filepath.Join(top, "project")
			requirement := "name = \"pkg\""
			if strings.Contains(now.tool, "index = \"n\"") {
				requirement += ", index = \"https://r.example/simple\""
			}
			files := map[string]string{
				"../project/pyproject.toml": "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"pkg\"]\n[tool.uv]\n" + now.tool,
				"../project/uv.lock": "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [\n    { name = \"pkg\" },\n]\n" +
					"\n[package.metadata]\nrequires-dist = [{ " + requirement + " }]\n\n[[package]]\nname = \"pkg\"\nversion = \"1.0\"\nsource = { registry = \"R\" }\n" +
					"wheels = [\n    { url = \"https://r.example/pkg-1.0-py3-none-any.whl\", hash = \"sha256:" + strings.Repeat("0", 64) + "\" },\n]\n",
			}
			for name, text := range now.files {
				files[name] = text
			}
			for name, text := range files {
				file := filepath.Join(top, "home", name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(place.Replace(text)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			run := func(cmd *exec.Cmd) (ok bool, said string) {
				cmd.Dir = project
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(top, "home"), "UV_PYTHON_DOWNLOADS=never"}
				for _, variable := range now.env {
					cmd.Env = append(cmd.Env, place.Replace(variable))
				}
				out, err := cmd.CombinedOutput()
				return err == nil, string(out)
			}
			want, said := run(exec.CommandContext(t.Context(), uv, "lock", "--check", "--offline", "--no-cache", "--python", python))
			ours := exec.CommandContext(t.Context(), self, "plan", "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36")
			ours.Args[0] = "vpk"
			got, ourSaid := run(ours)
			if got != want {
				t.Errorf("uv: %t, vpk: %t\nuv: %s\nvpk: %s", want, got, said, ourSaid)
			}
			if got {
				fresh++
			} else if stale++; !strings.Contains(ourSaid, "out of date") {
				t.Errorf("it is not stale, but fails: %s", ourSaid)
			}
		})
	}
	t.Logf("of %d set-ups: %d fresh, %d stale", len(lockedSetups), fresh, stale)
}
