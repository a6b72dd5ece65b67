package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

// item is one member of the archive, in order, with everything that its header says.
type item struct {
	tree.Entry
	mode  int64
	owner Owner
	mtime int64 // seconds since 1970
}

// claim is who put something at a path first.
type claim struct {
	entry tree.Entry
	part  string
}

// plan lists the members of the layer's archive: the preamble, then the files and links of the parts.
func (s Spec) plan() ([]item, error) {
	var (
		claims   = map[string]claim{}  // files and links
		dirs     = map[string]string{} // directories, and a part that needs each
		entries  []tree.Entry
		problems []error
	)
	for _, p := range s.Parts {
		if err := p.Check(); err != nil {
			problems = append(problems, err)
			continue
		}
		for _, e := range p.Entries {
			for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
				if _, ok := dirs[dir]; ok {
					break // and so are its parents
				}
				dirs[dir] = p.Name
			}
			if e.Kind == tree.Dir {
				if _, ok := dirs[e.Path]; !ok {
					dirs[e.Path] = p.Name
				}
				continue
			}
			if first, ok := claims[e.Path]; ok {
				if !tree.Same(first.entry, e) {
					problems = append(problems, fault.New(fault.Collision, "", "%q differs between %q and %q", e.Path, first.part, p.Name))
				}
				continue
			}
			claims[e.Path] = claim{entry: e, part: p.Name}
			entries = append(entries, e)
		}
	}
	for dir, part := range dirs {
		if c, ok := claims[dir]; ok {
			problems = append(problems, fault.New(fault.Collision, "", "%q is a directory in %q and none in %q", dir, part, c.part))
		}
	}
	known, err := s.knownDirectories()
	if err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("plan layer %q: %w", s.Name, errors.Join(problems...))
	}

	items := make([]item, 0, len(dirs)+len(entries))
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		it := item{Entry: tree.Entry{Path: dir, Kind: tree.Dir}, mode: 0o755, owner: s.Owner, mtime: s.MTime.Unix()}
		if d, ok := known[dir]; ok {
			it.mode, it.owner, it.mtime = d.Mode, d.Owner, d.MTime.Unix()
		}
		items = append(items, it)
	}
	for _, e := range entries {
		items = append(items, item{Entry: e, mode: int64(e.Mode.Perm()), owner: s.Owner, mtime: s.MTime.Unix()})
	}
	return items, nil
}

func (s Spec) knownDirectories() (map[string]BaseDirectory, error) {
	known := make(map[string]BaseDirectory, len(s.Directories))
	for _, d := range s.Directories {
		if !fs.ValidPath(d.Path) || d.Path == "." || d.Mode&^0o7777 != 0 {
			return nil, fmt.Errorf("directory %q of the base, mode %o, is not one that a layer can hold", d.Path, d.Mode)
		}
		if _, ok := known[d.Path]; ok {
			return nil, fmt.Errorf("directory %q of the base is given twice", d.Path)
		}
		known[d.Path] = d
	}
	return known, nil
}
