package lockfile

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	pathpkg "path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

// Disk is what Check reads of the disk. Names are those of files, the functions those of package os.
type Disk struct {
	// Dir is the absolute path of the lock's directory.
	Dir      string
	ReadFile func(name string) ([]byte, error)
	ReadDir  func(name string) ([]fs.DirEntry, error)
}

// abs gives the cleaned absolute path of a path that is relative to dir, which itself may be relative to the lock.
func (d Disk) abs(dir, name string) string {
	if pathpkg.IsAbs(name) {
		return pathpkg.Clean(name)
	}
	return pathpkg.Join(filepath.ToSlash(d.Dir), dir, name)
}

func (d Disk) isDir(name string) bool {
	_, err := d.ReadDir(filepath.FromSlash(name))
	return err == nil
}

// project reads the pyproject.toml of a directory, an absolute path; nil where there is none.
func (d Disk) project(dir string) (*pyproject.Project, error) {
	name := filepath.FromSlash(pathpkg.Join(dir, "pyproject.toml"))
	data, err := d.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	} else if err != nil {
		return nil, fault.New(fault.Usage, "", "read project: %w", err)
	}
	return pyproject.Read(data, name)
}

// workspace is a root and its members (crates/uv-workspace/src/workspace.rs).
type workspace struct {
	root     *pyproject.Project
	dir      string // absolute
	members  []member
	settings pyproject.Settings
	// required are the names that are a workspace source of another project, with what that says of editable.
	required map[string]*bool
}

// member is a project in a directory, an absolute path.
type member struct {
	dir     string
	project *pyproject.Project
}

// rootIsMember tells a root that is a project.
func (w *workspace) rootIsMember() bool { return w.root.Name != "" }

func (w *workspace) member(name string) (member, bool) {
	i := slices.IndexFunc(w.members, func(m member) bool { return m.project.Name == name })
	if i < 0 {
		return member{}, false
	}
	return w.members[i], true
}

// kind is the kind of source that a member has.
func (w *workspace) kind(m member, editable bool) SourceKind {
	said, required := w.required[m.project.Name]
	if said != nil {
		editable = *said
	}
	switch {
	case !isPackage(m.project, !required):
		return Virtual
	case editable:
		return Editable
	}
	return Directory
}

// isPackage tells whether a project is built and installed (crates/uv-workspace/src/pyproject.rs:132).
func isPackage(p *pyproject.Project, needsBuildSystem bool) bool {
	if p.UV.Package != nil {
		return *p.UV.Package
	}
	return p.HasBuildSystem || !needsBuildSystem
}

// openWorkspace finds the members of the workspace whose root is in dir, an absolute path.
func openWorkspace(root *pyproject.Project, dir string, disk Disk) (*workspace, error) {
	w := &workspace{root: root, dir: dir, settings: root.UV.Settings, required: map[string]*bool{}}
	if root.Name != "" {
		w.members = append(w.members, member{dir, root})
	}
	name := filepath.FromSlash(pathpkg.Join(dir, "uv.toml"))
	data, err := disk.ReadFile(name)
	if err == nil {
		if w.settings, err = pyproject.ReadSettings(data, name); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Usage, "", "read settings: %w", err)
	}
	if definition := root.UV.Workspace; definition != nil {
		if err := w.discover(definition, disk); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(w.members, func(a, b member) int { return cmp.Compare(a.project.Name, b.project.Name) })
	for i := 1; i < len(w.members); i++ {
		if a, b := w.members[i-1], w.members[i]; a.project.Name == b.project.Name {
			return nil, fault.New(fault.Usage, "", "workspace: %q and %q are both project %q", a.dir, b.dir, a.project.Name)
		}
	}
	err = w.require(root)
	for _, m := range w.members {
		err = errors.Join(err, w.require(m.project))
	}
	return w, err
}

// around gives the workspace that a project finds itself in, from its own directory. A member that lies in the directory of
// another member has no part in the workspace's sources: the pyproject.toml next above it defines no workspace.
func (c *checker) around(m member) (*workspace, error) {
	if m.dir == c.workspace.dir {
		return c.workspace, nil
	}
	_, dir, err := FindProject(m.dir, c.Disk)
	if err != nil || dir == c.workspace.dir {
		return c.workspace, err
	}
	root := m.project
	if dir != m.dir {
		if root, err = c.Disk.project(dir); err != nil {
			return nil, err
		}
	}
	ws, err := openWorkspace(root, dir, c.Disk)
	if err != nil {
		return nil, err
	}
	ws.settings = c.workspace.settings
	return ws, nil
}

// require notes the workspace sources of a project. As in uv (crates/uv-workspace/src/workspace.rs:414), whether a source is used
// does not count, and the last of them says what is editable.
func (w *workspace) require(p *pyproject.Project) error {
	for _, name := range slices.Sorted(maps.Keys(p.UV.Sources)) {
		if name == p.Name {
			continue
		}
		for _, s := range p.UV.Sources[name] {
			if !s.Workspace {
				continue
			}
			if said := w.required[name]; said != nil && s.Editable != nil && *said != *s.Editable {
				return fault.New(fault.Usage, "give every source of it the same editable",
					"%s: the workspace source of %q is editable = %t, another one %t", p.Filename, name, *s.Editable, *said)
			}
			w.required[name] = s.Editable
		}
	}
	return nil
}

func (w *workspace) discover(definition *pyproject.Workspace, disk Disk) error {
	exclude := make([]*regexp.Regexp, len(definition.Exclude))
	for i, pattern := range definition.Exclude {
		var err error
		if exclude[i], err = globRegexp(pathpkg.Clean(pattern)); err != nil {
			return fault.New(fault.Usage, "", "%s: exclude of [tool.uv.workspace]: %w", w.root.Filename, err)
		}
	}
	seen := map[string]bool{w.dir: true}
	for _, pattern := range definition.Members {
		dirs, err := glob(disk, w.dir, strings.Split(pathpkg.Clean(pattern), "/"))
		if err != nil {
			return fault.New(fault.Usage, "", "%s: members of [tool.uv.workspace]: %w", w.root.Filename, err)
		}
		for _, dir := range dirs {
			relative, err := filepath.Rel(w.dir, dir)
			if seen[dir] || err != nil || slices.ContainsFunc(exclude, func(r *regexp.Regexp) bool { return r.MatchString(filepath.ToSlash(relative)) }) {
				continue
			}
			seen[dir] = true
			p, err := disk.project(dir)
			switch {
			case err != nil:
				return err
			case p == nil && !disk.isDir(dir), p == nil && isLeftover(disk, dir):
				continue
			case p == nil:
				return fault.New(fault.Usage, "", "workspace member %q, of pattern %q, has no pyproject.toml", dir, pattern)
			case p.UV.Managed != nil && !*p.UV.Managed:
				continue
			case p.Name == "":
				return fault.New(fault.Usage, "", "workspace member %q, of pattern %q: pyproject.toml has no [project]", dir, pattern)
			}
			w.members = append(w.members, member{dir, p})
		}
	}
	return nil
}

// isLeftover tells a directory that no one takes for a member: it is hidden, or holds nothing but what runs leave behind.
func isLeftover(disk Disk, dir string) bool {
	if strings.HasPrefix(pathpkg.Base(dir), ".") {
		return true
	}
	entries, err := disk.ReadDir(filepath.FromSlash(dir))
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !strings.HasPrefix(e.Name(), ".") && e.Name() != "__pycache__" && !strings.HasSuffix(e.Name(), ".egg-info")
	})
}

// glob gives the files that match a pattern below dir, in their order by name. A part "**" stands for any directories.
func glob(disk Disk, dir string, pattern []string) ([]string, error) {
	if len(pattern) == 0 {
		return []string{dir}, nil
	}
	first, rest := pattern[0], pattern[1:]
	if !strings.ContainsAny(first, "*?[") {
		next := pathpkg.Join(dir, first)
		if len(rest) == 0 {
			if _, err := disk.ReadDir(filepath.FromSlash(next)); errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
		}
		return glob(disk, next, rest)
	}
	var found []string
	if first == "**" {
		here, err := glob(disk, dir, rest)
		if err != nil {
			return nil, err
		}
		found, first, rest = here, "*", pattern
	}
	match, err := globRegexp(first)
	if err != nil {
		return nil, err
	}
	entries, err := disk.ReadDir(filepath.FromSlash(dir))
	if err != nil {
		return found, nil // no directory
	}
	for _, e := range entries {
		if !match.MatchString(e.Name()) || pattern[0] == "**" && !e.IsDir() {
			continue
		}
		below, err := glob(disk, pathpkg.Join(dir, e.Name()), rest)
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

// globRegexp turns a pattern into an expression for whole paths; as in uv's, "*" goes over slashes, and a part "**" stands for
// any directories or none.
func globRegexp(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		if (i == 0 || pattern[i-1] == '/') && strings.HasPrefix(pattern[i:], "**/") {
			b.WriteString("(?:.*/)?")
			i += len("**/") - 1
			continue
		}
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			end := strings.IndexByte(pattern[min(i+2, len(pattern)):], ']')
			if end < 0 {
				return nil, errors.New("pattern " + pattern + ": the \"]\" is missing")
			}
			class := pattern[i+1 : i+2+end]
			b.WriteString("[")
			if rest, negated := strings.CutPrefix(class, "!"); negated {
				b.WriteString("^")
				class = rest
			}
			b.WriteString(strings.NewReplacer(`\`, `\\`, "^", `\^`, "[", `\[`, "]", `\]`).Replace(class))
			b.WriteString("]")
			i += 2 + end
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	return regexp.Compile("(?s)" + b.String())
}
