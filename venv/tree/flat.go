package tree

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// flat is a tree as a directory needs it: parts forgotten, every path once, parents named.
type flat struct {
	dirs  []string // every directory, parents before children, the root itself not among them
	files []Entry  // sorted by path
	links []Entry  // sorted by path
}

// flatten merges the parts. Paths become relative to base. Several entries for one path are one if they are the same in
// everything; all others, and paths that are at once a file and a parent of something, are reported together.
func (t Tree) flatten(base string) (flat, error) {
	entries := map[string]Entry{}
	dirs := map[string]bool{}
	var problems []error
	for _, part := range t.Parts {
		if err := part.Check(); err != nil {
			return flat{}, err
		}
		for _, e := range part.Entries {
			rel, ok := below(e.Path, base)
			if !ok {
				return flat{}, fmt.Errorf("part %q: path %q is not below %q", part.Name, e.Path, base)
			}
			e.Path = rel
			if other, ok := entries[rel]; ok && !Same(e, other) {
				problems = append(problems, fmt.Errorf("path %q is in the tree twice, with different content or mode", rel))
			}
			entries[rel] = e
			if e.Kind == Dir {
				dirs[rel] = true
			}
			for d := path.Dir(rel); d != "." && !dirs[d]; d = path.Dir(d) {
				dirs[d] = true
			}
		}
	}
	var f flat
	for p, e := range entries {
		switch {
		case e.Kind != Dir && dirs[p]:
			problems = append(problems, fmt.Errorf("path %q is both a directory and something else", p))
		case e.Kind == File:
			f.files = append(f.files, e)
		case e.Kind == Link:
			f.links = append(f.links, e)
		}
	}
	for d := range dirs {
		f.dirs = append(f.dirs, d)
	}
	slices.Sort(f.dirs)
	Sort(f.files)
	Sort(f.links)
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f, errors.Join(problems...)
}

func below(p, base string) (rel string, ok bool) {
	if base == "" {
		return p, true
	}
	return strings.CutPrefix(p, base+"/")
}
