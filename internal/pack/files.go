package pack

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"vpk/layer/base"
	"vpk/venv/tree"
)

// files is every file that the image will have: the base's, with the tree's on top.
type files struct {
	added map[string]tree.Entry
	base  *base.Files
}

func newFiles(t tree.Tree, b *base.Files) files {
	f := files{added: map[string]tree.Entry{}, base: b}
	for _, p := range t.Parts {
		for _, e := range p.Entries {
			f.added[e.Path] = e
		}
	}
	return f
}

// maxLinks is how many links are followed before it must be a loop: the kernel's limit.
const maxLinks = 40

// resolve follows links from an absolute path to the file that it means; ok is false when nothing is there. The entry is
// the tree's, and its zero value when the file is the base's.
func (f files) resolve(name string) (real string, added tree.Entry, mode fs.FileMode, ok bool) {
	for range maxLinks {
		e, inTree := f.added[strings.TrimPrefix(name, "/")]
		switch {
		case inTree && e.Kind == tree.Link && path.IsAbs(e.Target):
			name = path.Clean(e.Target)
		case inTree && e.Kind == tree.Link:
			name = path.Join(path.Dir(name), e.Target)
		case inTree:
			mode := e.Mode
			if e.Kind == tree.Dir {
				mode |= fs.ModeDir
			}
			return name, e, mode, true
		default:
			real, err := f.base.Resolve(name)
			if err != nil {
				return "", tree.Entry{}, 0, false
			}
			if real != name && real != strings.TrimPrefix(name, "/") {
				name = "/" + strings.TrimPrefix(real, "/")
				continue // a link of the base may lead into the tree
			}
			b, ok := f.base.Lookup(real)
			return name, tree.Entry{}, b.Mode, ok
		}
	}
	return "", tree.Entry{}, 0, false
}

// executable says whether a path means a regular file that can be executed.
func (f files) executable(name string) bool {
	_, _, mode, ok := f.resolve(name)
	return ok && mode.IsRegular() && mode&0o111 != 0
}

// scriptHead is how much of a file its first line is looked for in: the kernel's limit.
const scriptHead = 256

// script is the interpreter that the first line of a script of the tree names, "" for anything else.
func (f files) script(name string) (interpreter string, err error) {
	_, e, _, ok := f.resolve(name)
	if !ok || e.Content == nil {
		return "", nil
	}
	r, err := e.Content.Open()
	if err != nil {
		return "", fmt.Errorf("read %q: %w", name, err)
	}
	defer r.Close()
	line, err := bufio.NewReaderSize(io.LimitReader(r, scriptHead), scriptHead).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read %q: %w", name, err)
	}
	rest, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return "", nil
	}
	words := strings.Fields(rest)
	if len(words) == 0 {
		return "", nil
	}
	return words[0], nil
}

// scripts are the names of the programs of the environment.
func (f files) scripts() []string {
	var names []string
	for p := range f.added {
		if dir, name := path.Split(p); "/"+dir == prefix+"/bin/" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
