// Package project finds the project's own files: those that go into the image next to the virtual environment.
//
// Rules. The project directory is walked once, in the order of names. Patterns have the syntax and the meaning of
// .dockerignore under BuildKit: parents count, the last pattern that matches decides, `!` brings back. The lines of
// .dockerignore and then those of Options.Exclude are one list; when Options.Include is not empty, a file must also match
// one of its patterns, itself or by a parent.
//
// What is never packed, whatever these say: .git and .venv wherever they are, and the outputs of this run. What is packed
// only if it is asked for by name: uv.lock, __pycache__, *.pyc, .env* and what a killed vpk leaves (.vpk-*, .*.vpk-*) wherever
// they are, and directories that hold a file named oci-layout, which are images. By name means that a component of a `!` pattern, or of one of
// Options.Include, spells it: `!.env.example` and `!**/__pycache__` do; `!src` and `!**`, which people write after a `*`
// to list what they want, do not, or every local leftover below src would be in the image. An image comes back by its own
// path alone: `!samples/image`.
//
// A directory may hold projects of its own, the members of a workspace: a file belongs to the innermost project that holds it, and
// only the files of projects that are packed are. The patterns of a member are relative to it and come after those of the root,
// as if they stood there with the member's path; those of its Include concern its own files alone, as those of the root concern
// only what belongs to the root.
//
// Files keep the executable bit alone. Links are kept as they are if they stay inside the project, even when they lead
// to nothing. An error, all of them reported at once, are: links that are absolute or leave the project, sockets, pipes
// and devices, names that are not UTF-8, and whatever cannot be read. Directories left empty by the filter, or empty from
// the start, are not packed: git does not keep them, so they differ between two checkouts of one commit.
//
// The content of each file is hashed while planning. A file that is different when it is read later is an error then.
//
// Not done here: finding projects, reading [tool.vpk], installing a project that is a package. The environment and
// the working directory are never looked at.
package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/venv/tree"
)

// FormatVersion is raised when the same files give other entries.
const FormatVersion = "1"

// Options says which files there are and where they go.
type Options struct {
	// Ignore holds the lines of .dockerignore, as ReadIgnore gives them.
	Ignore []string
	// Include and Exclude are patterns of the configuration; see the package comment.
	Include, Exclude []string
	// Outputs are absolute paths of what this run writes, whether it exists yet or not; those in the project are skipped.
	Outputs []string
	// Members are the projects below the root. OmitRoot leaves out what belongs to none of them.
	Members  []Member
	OmitRoot bool
	// Dest is the directory in the image, absolute. The default is /app.
	Dest string
}

// Member is a project in a directory below the root. Its files are packed or not, whatever holds it.
type Member struct {
	// Dir is relative to the root, clean, with slashes.
	Dir    string
	Packed bool
	// Ignore, Include and Exclude are as in Options, relative to Dir.
	Ignore, Include, Exclude []string
}

// ReadIgnore reads the patterns of the project's .dockerignore, nil if there is no such file.
func ReadIgnore(root string) ([]string, error) {
	f, err := os.OpenInRoot(root, ".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(fault.Usage, "", "read .dockerignore: %w", err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "read .dockerignore: %w", err)
	}
	return patterns, nil
}

// Files gives the project's files as the part "project". The root is the absolute path of the project directory. Errors that
// the user can mend are of kind fault.Usage.
func Files(ctx context.Context, root string, o Options) (tree.Part, error) {
	fail := func(err error) (tree.Part, error) {
		return tree.Part{}, fmt.Errorf("read project %q: %w", root, err)
	}
	o.Dest = cmp.Or(o.Dest, "/app")
	if o.Dest != path.Clean(o.Dest) || o.Dest[0] != '/' || o.Dest == "/" {
		return fail(fault.New(fault.Usage, "", "destination %q is not a clean absolute path", o.Dest))
	}
	f, err := newFilter(o)
	if err != nil {
		return fail(err)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fail(fault.Wrap(fault.Usage, "", err))
	}
	dir, err := os.OpenRoot(real)
	if err != nil {
		return fail(fault.Wrap(fault.Usage, "", err))
	}
	defer dir.Close()

	skip, err := skipped(real, o.Outputs)
	if err != nil {
		return fail(err)
	}
	w := walk{root: dir, fsys: dir.FS(), filter: f, skip: skip, omitted: map[string]bool{".": o.OmitRoot}}
	for _, m := range o.Members {
		w.omitted[m.Dir] = !m.Packed
	}
	if err := w.directory(ctx, ".", false, nil); err != nil {
		return fail(err)
	}
	if err := w.hash(ctx, real); err != nil {
		return fail(err)
	}
	if len(w.problems) > 0 {
		slices.Sort(w.problems)
		return fail(fault.New(fault.Usage, "exclude them in .dockerignore or [tool.vpk] exclude", "%s", strings.Join(w.problems, "\n")))
	}
	return part(w.entries, o.Dest[1:]), nil
}

// part puts the files below dest, in order, and derives the key.
func part(entries []tree.Entry, dest string) tree.Part {
	for i := range entries {
		entries[i].Path = dest + "/" + entries[i].Path
	}
	tree.Sort(entries)
	inputs := []string{"project", FormatVersion}
	for _, e := range entries {
		identity := e.Target
		if e.Kind == tree.File {
			identity = e.Content.Digest().String()
		}
		inputs = append(inputs, e.Path, e.Mode.String(), identity)
	}
	return tree.Part{Name: "project", Key: cas.Key(inputs...), Entries: entries}
}

// skipped gives the paths in the project that are outputs of this run: as they are written, and where links lead.
func skipped(root string, outputs []string) (map[string]bool, error) {
	skip := map[string]bool{}
	for _, out := range outputs {
		if !filepath.IsAbs(out) {
			return nil, fmt.Errorf("output %q is not an absolute path", out)
		}
		// The parent is resolved even when the output does not exist yet, or is a link itself.
		places := []string{filepath.Clean(out)}
		if parent, err := filepath.EvalSymlinks(filepath.Dir(out)); err == nil {
			places = append(places, filepath.Join(parent, filepath.Base(out)))
		}
		if real, err := filepath.EvalSymlinks(out); err == nil {
			places = append(places, real)
		}
		for _, p := range places {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return nil, fmt.Errorf("output %q: %w", out, err)
			}
			if rel == "." {
				return nil, fault.New(fault.Usage, "", "output %q is the project's own directory", out)
			}
			skip[filepath.ToSlash(rel)] = true
		}
	}
	return skip, nil
}
