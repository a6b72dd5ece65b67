package venv

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/venv/tree"
)

// Policy is what Join does about files that two packages claim.
type Policy int

// The policies.
const (
	Report Policy = iota // the later one owns the path, and it is reported
	Refuse               // it is an error
)

// Collision is a path that two packages claim with different content or mode.
type Collision struct {
	Path         string // in the tree
	Owner, Loser string // "NAME VERSION"
}

func (c Collision) String() string {
	return fmt.Sprintf("%s: of %s, not of %s", c.Path, c.Owner, c.Loser)
}

// Join makes the parts of an environment agree on every path. The result depends on no order of the arguments.
//
// Where two packages bring the same file, bytes and mode, both keep it. Else the one of the higher Rank (then of the
// greater name) owns the path; the others lose their entry, its row in RECORD, and, if it is a module, its bytecode. The
// key of a part that loses something changes. Bytecode that was made here replaces what wheels ship, silently, as when
// uv compiles; that of a module which several bring alike must be alike, too. Collisions come sorted by path, then by loser; with Refuse they are an error of kind fault.Collision that lists them.
//
// Not for any policy to decide, and an error of the same kind: a path that is a file of one package and a directory of
// another, and two packages with one dist-info directory.
//
// The parts come in the tree's order: skeleton, then by package name each wheel's part followed by its bytecode.
func Join(skeleton tree.Part, installed []Installed, policy Policy) ([]tree.Part, []Collision, error) {
	j := join{packages: slices.Clone(installed)}
	slices.SortFunc(j.packages, func(a, b Installed) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Name, b.Name))
	})
	j.lost = make([]map[string]bool, len(j.packages))
	for i := range j.packages {
		j.lost[i] = map[string]bool{}
	}
	if err := j.checkPackages(); err != nil {
		return nil, nil, err
	}
	j.replaceBytecode()
	j.claim()
	if err := j.checkDirectories(); err != nil {
		return nil, nil, err
	}
	collisions := j.decide()
	if policy == Refuse && len(collisions) > 0 {
		lines := make([]string, len(collisions))
		for i, c := range collisions {
			lines[i] = "\n  " + c.String()
		}
		return nil, collisions, fault.New(fault.Collision, `choose other versions, or set collisions = "report" in [tool.vpk]`,
			"packages bring different files for one path:%s", strings.Join(lines, ""))
	}
	parts := []tree.Part{skeleton}
	for _, i := range j.byName() {
		p := j.without(i)
		if p.Sourceless {
			p = j.sourceless(p)
		}
		parts = append(parts, p.Part)
		if len(p.Bytecode.Entries) > 0 {
			parts = append(parts, p.Bytecode)
		}
	}
	return parts, collisions, nil
}

// join is the work of Join. Packages are in the order of ownership: the last that claims a path owns it.
type join struct {
	packages []Installed
	lost     []map[string]bool // of each package, the paths that it loses
	owner    map[string]int    // of each path, the package that claimed it last
	shared   map[string][]int  // of each path with several claims, the packages, in order
}

// byName is the packages' indexes in the order of the tree.
func (j *join) byName() []int {
	order := make([]int, len(j.packages))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(j.packages[a].Name, j.packages[b].Name) })
	return order
}

// checkPackages refuses what would make the rest meaningless.
func (j *join) checkPackages() error {
	names, records := map[string]bool{}, map[string]Installed{}
	var problems []string
	for _, p := range j.packages {
		if names[p.Name] {
			return fmt.Errorf("join environment: package %q is installed twice", p.Name)
		}
		names[p.Name] = true
		if other, ok := records[p.record]; ok {
			problems = append(problems, fmt.Sprintf("%s and %s have one dist-info directory, %s", other, p, path.Dir(p.record)))
		}
		records[p.record] = p
	}
	return collisionError(problems)
}

func collisionError(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems)
	return fault.New(fault.Collision, "choose other versions", "packages cannot be installed together: %s", strings.Join(problems, "; "))
}

// replaceBytecode takes shipped bytecode away where there is fresh.
func (j *join) replaceBytecode() {
	fresh := map[string]bool{}
	for _, p := range j.packages {
		for _, e := range p.Bytecode.Entries {
			fresh[e.Path] = true
		}
	}
	if len(fresh) == 0 {
		return
	}
	for i, p := range j.packages {
		for _, e := range p.Part.Entries {
			if fresh[e.Path] {
				j.lost[i][e.Path] = true
			}
		}
	}
}

func (j *join) claim() {
	n := 0
	for _, p := range j.packages {
		n += len(p.Part.Entries)
	}
	j.owner, j.shared = make(map[string]int, n), map[string][]int{}
	for i, p := range j.packages {
		for _, e := range p.Part.Entries {
			if j.lost[i][e.Path] {
				continue
			}
			if other, ok := j.owner[e.Path]; ok {
				if j.shared[e.Path] == nil {
					j.shared[e.Path] = []int{other}
				}
				j.shared[e.Path] = append(j.shared[e.Path], i)
			}
			j.owner[e.Path] = i
		}
	}
}

// checkDirectories finds files of one package that are directories of another.
func (j *join) checkDirectories() error {
	seen := map[string]bool{}
	var problems []string
	for i, p := range j.packages {
		for _, e := range slices.Concat(p.Part.Entries, p.Bytecode.Entries) {
			for dir := path.Dir(e.Path); dir != "." && !seen[dir]; dir = path.Dir(dir) {
				seen[dir] = true
				if other, ok := j.owner[dir]; ok {
					problems = append(problems, fmt.Sprintf("%s is a file of %s and a directory of %s", dir, j.packages[other], j.packages[i]))
				}
			}
		}
	}
	return collisionError(problems)
}

// decide settles every path that is claimed more than once.
func (j *join) decide() []Collision {
	var collisions []Collision
	for p, claimants := range j.shared {
		owner := claimants[len(claimants)-1]
		owned := j.packages[owner].entry(p)
		for _, i := range claimants[:len(claimants)-1] {
			if e := j.packages[i].entry(p); !tree.Same(e, owned) {
				j.lost[i][p] = true
				collisions = append(collisions, Collision{p, j.packages[owner].String(), j.packages[i].String()})
			}
		}
	}
	slices.SortFunc(collisions, func(a, b Collision) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Loser, b.Loser))
	})
	return collisions
}

// entry is the package's entry at a path that it claims.
func (i Installed) entry(p string) tree.Entry {
	at, _ := slices.BinarySearchFunc(i.Part.Entries, p, func(e tree.Entry, p string) int { return strings.Compare(e.Path, p) })
	return i.Part.Entries[at]
}

// without is a package less what it lost, and less the bytecode of the modules among that.
func (j *join) without(i int) Installed {
	p, lost := j.packages[i], j.lost[i]
	if len(lost) == 0 {
		return p
	}
	moduleLost := func(at string) bool { return lost[source(at)] }
	partLost := func(at string) bool { return lost[at] || moduleLost(at) }
	p.Part = remove(p.Part, partLost)
	p.Bytecode = remove(p.Bytecode, moduleLost)
	p.rows = slices.DeleteFunc(slices.Clone(p.rows), func(r row) bool { return partLost(path.Join(p.site, r.path)) })
	p.writeRecord()
	return p
}

// sourceless is a package with the bytecode of its modules in their place: DIR/X.pyc and not DIR/X.py (PEP 3147, "Case 4: legacy
// pyc files and source-less imports"). What stands there already stays, and so does the module. RECORD lists neither.
func (j *join) sourceless(p Installed) Installed {
	replaced := map[string]bool{}
	inputs := []string{"sourceless", p.Bytecode.Key}
	entries := slices.Clone(p.Bytecode.Entries)
	for i, e := range entries {
		module := source(e.Path)
		legacy := strings.TrimSuffix(module, ".py") + ".pyc"
		if _, taken := j.owner[legacy]; taken || !p.has(module) {
			continue
		}
		replaced[module], entries[i].Path = true, legacy
		inputs = append(inputs, legacy)
	}
	if len(replaced) == 0 {
		return p
	}
	isReplaced := func(at string) bool { return replaced[at] }
	tree.Sort(entries)
	p.Bytecode.Entries = entries
	if p.Bytecode.Key != "" {
		p.Bytecode.Key = cas.Key(inputs...)
	}
	p.Part = remove(p.Part, isReplaced)
	p.rows = slices.DeleteFunc(slices.Clone(p.rows), func(r row) bool { return isReplaced(path.Join(p.site, r.path)) })
	p.writeRecord()
	return p
}

// has says whether the package has a file at a path.
func (i Installed) has(p string) bool {
	_, found := slices.BinarySearchFunc(i.Part.Entries, p, func(e tree.Entry, p string) int { return strings.Compare(e.Path, p) })
	return found
}

// remove gives a part of its own without some paths.
func remove(part tree.Part, lost func(path string) bool) tree.Part {
	inputs := []string{"less", part.Key}
	entries := make([]tree.Entry, 0, len(part.Entries))
	for _, e := range part.Entries {
		if lost(e.Path) {
			inputs = append(inputs, e.Path)
		} else {
			entries = append(entries, e)
		}
	}
	if part.Key != "" && len(entries) < len(part.Entries) {
		part.Key = cas.Key(inputs...)
	}
	part.Entries = entries
	return part
}

// source is the module that a file of bytecode was made from, empty for any other file: DIR/__pycache__/X.TAG.pyc and
// DIR/__pycache__/X.TAG.opt-1.pyc are of DIR/X.py (PEP 3147, PEP 488).
func source(p string) string {
	dir, file := path.Split(p)
	stem, ok := strings.CutSuffix(file, ".pyc")
	if !ok || path.Base(dir) != "__pycache__" {
		return ""
	}
	if i := strings.LastIndexByte(stem, '.'); i >= 0 && strings.HasPrefix(stem[i:], ".opt-") {
		stem = stem[:i]
	}
	i := strings.LastIndexByte(stem, '.')
	if i < 0 {
		return ""
	}
	return path.Join(path.Dir(path.Clean(dir)), stem[:i]+".py")
}
