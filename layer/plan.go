package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/venv/tree"
)

// item is one member of the archive, in order, with everything that its header says.
type item struct {
	tree.Entry
	mode  int64
	owner Owner
	mtime time.Time
	// splice says that the part's key covers the compressed form of the content too.
	splice bool
	// end says that it is no member, but what ends the archive.
	end bool
}

// archiveEnd is the end of every archive.
var archiveEnd = stretch{name: "end of archive", items: []item{{Entry: tree.Entry{Kind: tree.Dir}, end: true}}}

// stretch is the row of members that one part becomes, its directories first.
type stretch struct {
	name  string // of the part
	key   string // names all that the bytes of the members follow from
	keep  bool   // compressed, in the cache
	items []item
}

// plan lists the members of the layer's archive: the shared directories, then each part's.
func (s Spec) plan() ([]stretch, error) {
	p := planner{spec: s, claims: map[string]claim{}, dirs: map[string]string{}}
	problem := func(err error) { p.problems = append(p.problems, err) }
	var err error
	if p.known, err = s.knownDirectories(); err != nil {
		problem(err)
	}
	preamble := stretch{name: "shared directories", key: cas.Key("shared")}
	for _, dir := range s.Shared {
		if !fs.ValidPath(dir) || dir == "." {
			problem(fmt.Errorf("shared directory %q is not a clean relative path", dir))
			continue
		}
		p.need(dir, "the shared directories", &preamble)
	}
	p.seal(&preamble, nil)
	all := []stretch{preamble}
	for _, part := range s.Parts {
		if err := part.Check(); err != nil {
			problem(err)
			continue
		}
		all = append(all, p.part(part))
	}
	for dir, part := range p.dirs {
		if c, ok := p.claims[dir]; ok {
			problem(fault.New(fault.Collision, "", "%q is a directory in %q and none in %q", dir, part, c.part))
		}
	}
	if len(p.problems) > 0 {
		slices.SortFunc(p.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("plan layer %q: %w", s.Name, errors.Join(p.problems...))
	}
	return all, nil
}

// claim is who put something at a path first.
type claim struct {
	entry tree.Entry
	part  string
}

// planner is the work of plan.
type planner struct {
	spec     Spec
	known    map[string]BaseDirectory
	claims   map[string]claim  // files and links
	dirs     map[string]string // directories that are written, and the first part that needs each
	problems []error
}

// need writes a directory, and those above it, unless they are written already.
func (p *planner) need(dir, part string, to *stretch) {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := p.dirs[dir]; ok {
			return // and so are its parents
		}
		p.dirs[dir] = part
		it := item{Entry: tree.Entry{Path: dir, Kind: tree.Dir}, mode: 0o755, owner: p.spec.Owner, mtime: p.spec.time()}
		if d, ok := p.known[dir]; ok {
			it.mode, it.owner, it.mtime = d.Mode, d.Owner, d.MTime
		}
		to.items = append(to.items, it)
	}
}

// part plans one part: its directories and files that no part before it has written.
func (p *planner) part(part tree.Part) stretch {
	s := stretch{name: part.Name, key: partKey(part), keep: len(part.Entries) > 0}
	files := make([]item, 0, len(part.Entries))
	var dropped []string
	for _, e := range part.Entries {
		if e.Kind == tree.Dir {
			p.need(e.Path, part.Name, &s)
			continue
		}
		p.need(path.Dir(e.Path), part.Name, &s)
		if first, ok := p.claims[e.Path]; ok {
			if !tree.Same(first.entry, e) {
				p.problems = append(p.problems, fault.New(fault.Collision, "", "%q differs between %q and %q", e.Path, first.part, part.Name))
			}
			dropped = append(dropped, e.Path)
			continue
		}
		p.claims[e.Path] = claim{entry: e, part: part.Name}
		files = append(files, item{
			Entry: e, mode: int64(e.Mode.Perm()), owner: p.spec.Owner, mtime: p.spec.time(), splice: part.Key != "",
		})
	}
	p.seal(&s, dropped)
	s.items = append(s.items, files...)
	return s
}

// seal ends the directories of a stretch: parents before children, and the key says which there are, and how they are, and
// which files were left out.
func (p *planner) seal(s *stretch, dropped []string) {
	slices.SortFunc(s.items, func(a, b item) int { return strings.Compare(a.Path, b.Path) })
	inputs := []string{
		"stretch", strconv.Itoa(FormatVersion), s.key, p.spec.Owner.String(), stamp(p.spec.time()), strconv.Itoa(len(s.items)),
	}
	for _, d := range s.items {
		inputs = append(inputs, d.Path, strconv.FormatInt(d.mode, 8), d.owner.String(), stamp(d.mtime))
	}
	s.key = cas.Key(append(inputs, dropped...)...)
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
