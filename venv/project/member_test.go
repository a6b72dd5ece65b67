package project

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
)

// TestMembers packs the projects that are to be packed, each file by its innermost project, each by its own patterns.
func TestMembers(t *testing.T) {
	root := t.TempDir()
	write(t, root, "root.py", "docs/a.md", "packages/README", "packages/api/app.py", "packages/api/src/api/__init__.py",
		"packages/api/plugin/p.py", "packages/api/plugin/data/big", "packages/web/app.py", "packages/[x]/y.py",
		"packages/api/.env.example", "packages/api/notes.txt", "notes.txt", "packages/api/src/debug.log")
	member := func(dir string, packed bool) Member { return Member{Dir: dir, Packed: packed} }
	for _, c := range []struct {
		name    string
		options Options
		want    []string
	}{
		{"one member", Options{OmitRoot: true, Members: []Member{
			member("packages/api", true), member("packages/api/plugin", false), member("packages/web", false),
		}}, []string{
			"packages/api/app.py", "packages/api/notes.txt", "packages/api/src/api/__init__.py", "packages/api/src/debug.log",
		}},
		{"the nested one", Options{OmitRoot: true, Members: []Member{
			member("packages/api", false), member("packages/api/plugin", true), member("packages/[x]", true),
		}}, []string{"packages/[x]/y.py", "packages/api/plugin/data/big", "packages/api/plugin/p.py"}},
		{"the root alone", Options{Members: []Member{
			member("packages/api", false), member("packages/api/plugin", false), member("packages/web", false), member("packages/[x]", false),
		}}, []string{"docs/a.md", "notes.txt", "packages/README", "root.py"}},
		{"patterns of both", Options{
			OmitRoot: true, Ignore: []string{"**/*.log", "**/data"}, Exclude: []string{"notes.txt"},
			Members: []Member{
				{Dir: "packages/api", Packed: true, Ignore: []string{"/app.py", "!.env.example"}, Exclude: []string{"notes.txt"}},
				{Dir: "packages/api/plugin", Packed: true, Ignore: []string{"!data"}},
				{Dir: "packages/web", Ignore: []string{"!**"}},
			},
		}, []string{
			"packages/api/.env.example", "packages/api/plugin/data/big", "packages/api/plugin/p.py", "packages/api/src/api/__init__.py",
		}},
		{"include is for each by itself", Options{
			Include: []string{"docs"},
			Members: []Member{
				{Dir: "packages/api", Packed: true, Include: []string{"src"}, Exclude: []string{"**/*.log"}},
				member("packages/api/plugin", true),
				{Dir: "packages/[x]", Packed: true, Include: []string{"z.py"}},
				member("packages/web", false),
			},
		}, []string{
			"docs/a.md", "packages/api/plugin/data/big", "packages/api/plugin/p.py", "packages/api/src/api/__init__.py",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			part, err := Files(ctx, root, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, paths(part)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	_, err := Files(ctx, root, Options{Members: []Member{{Dir: "packages/api", Packed: true, Include: []string{"!a"}}}})
	if fault.KindOf(err) != fault.Usage {
		t.Errorf("an include with !: %v", err)
	}
}
