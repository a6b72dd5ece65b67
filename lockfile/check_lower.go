package lockfile

import (
	"fmt"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"

	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// lowering applies tool.uv.sources to the requirements of one project
// (crates/uv-distribution/src/metadata/lowering.rs:38).
type lowering struct {
	*needs
	workspace *workspace
	// project asks, or is the root of a workspace for which its settings ask; dir is where it is.
	project *pyproject.Project
	dir     string
	// editable is what members are that are a source, unless something says otherwise.
	editable bool
	problems []string
}

// place is the part of a project that a requirement stands in: nothing, an extra or a group.
type place struct{ extra, group string }

// list lowers requirements.
func (l *lowering) list(list []pep508.Requirement, at place) []need {
	var result []need
	for _, r := range list {
		result = append(result, l.requirement(r, at)...)
	}
	return result
}

func (l *lowering) fail(format string, args ...any) {
	l.problems = append(l.problems, l.project.Filename+": "+fmt.Sprintf(format, args...))
}

func (l *lowering) requirement(r pep508.Requirement, at place) []need {
	all := l.Of(r.Marker)
	plain := func(condition pep508.Condition) need { return l.of(l.plain(r), condition, l.dir) }
	entries, dir, ok := l.sources(r.Name)
	if !ok {
		if _, isMember := l.workspace.member(r.Name); isMember && r.Name != l.project.Name && !l.workspace.settings.NoSources.On {
			l.fail("%q is a member of the workspace, so tool.uv.sources needs %s = { workspace = true }", r.Name, r.Name)
			return nil
		}
		return []need{plain(all)}
	}
	var result []need
	covered := pep508.False
	for _, s := range entries {
		if s.Extra != "" && s.Extra != at.extra || s.Group != "" && s.Group != at.group {
			continue
		}
		limit := l.Of(s.Marker)
		covered = l.Or(covered, limit)
		condition := l.And(limit, all)
		if condition == pep508.False {
			continue
		}
		lowered, ok := l.source(s, r, at, dir)
		if !ok {
			continue
		}
		lowered.Marker = s.Marker.And(r.Marker)
		result = append(result, l.of(lowered, condition, dir))
	}
	if rest := l.And(covered.Not(), all); rest != pep508.False {
		result = append(result, plain(rest))
	}
	return result
}

// sources gives the entries for a package, and the directory that their paths are relative to: the project's, or else the
// workspace's.
func (l *lowering) sources(name string) (entries []pyproject.Source, dir string, ok bool) {
	if l.workspace.settings.NoSources.On {
		return nil, "", false
	}
	if entries, ok = l.project.UV.Sources[name]; ok {
		return entries, l.dir, true
	}
	entries, ok = l.workspace.root.UV.Sources[name]
	return entries, l.workspace.dir, ok
}

func (l *lowering) source(s pyproject.Source, r pep508.Requirement, at place, dir string) (Requirement, bool) {
	result := Requirement{Name: r.Name, Extras: r.Extras}
	if _, isMember := l.workspace.member(r.Name); isMember && !s.Workspace && r.Name != l.project.Name {
		l.fail("%q is a member of the workspace, so its source in tool.uv.sources is { workspace = true }", r.Name)
		return result, false
	}
	switch {
	case s.Git != "":
		result.Source = Source{Kind: Git, Location: gitLocation(s)}
	case s.URL != "":
		result.Source = Source{Kind: URL, Location: s.URL, Subdirectory: s.Subdirectory}
	case s.Path != "":
		result.Source = l.path(s, dir)
	case s.Index != "":
		location, ok := l.namedIndex(s.Index)
		if !ok {
			l.fail("the source of %q is index %q, which [[tool.uv.index]] does not name", r.Name, s.Index)
			return result, false
		}
		result.Specifiers = r.Specifiers
		result.Source = Source{Kind: Registry, Location: location}
		if l.project.Name != "" && s.Extra != "" {
			result.Conflict = &ConflictItem{Package: l.project.Name, Extra: s.Extra}
		} else if l.project.Name != "" && s.Group != "" {
			result.Conflict = &ConflictItem{Package: l.project.Name, Group: s.Group}
		}
	case s.Workspace:
		m, ok := l.workspace.member(r.Name)
		if !ok {
			l.fail("the source of %q is the workspace, which has no such member", r.Name)
			return result, false
		}
		result.Source = Source{Kind: l.workspace.kind(m, l.editable), Location: m.dir}
	}
	return result, true
}

// namedIndex is the index that a source names: one given to this run, else the project's, else the workspace's. A relative path
// is relative to the file that names it.
func (l *lowering) namedIndex(name string) (location string, ok bool) {
	given := slices.DeleteFunc(l.workspace.settings.Indexes(), func(i pyproject.Index) bool { return !i.Given })
	for _, from := range []struct {
		indexes []pyproject.Index
		dir     string
	}{{given, l.workspace.dir}, {l.project.UV.Settings.Index, l.dir}, {l.workspace.root.UV.Settings.Index, l.workspace.dir}} {
		for _, i := range from.indexes {
			if i.Name == name {
				return l.index(i.URL, from.dir), true
			}
		}
	}
	return "", false
}

// gitLocation writes a git source as the lock does, less the commit.
func gitLocation(s pyproject.Source) string {
	query := url.Values{}
	set := func(key, value string) {
		if value != "" {
			query.Set(key, value)
		}
	}
	set("branch", s.Branch)
	set("tag", s.Tag)
	set("rev", s.Rev)
	set("subdirectory", s.Subdirectory)
	if s.LFS {
		set("lfs", "true")
	}
	location, _, _ := strings.Cut(s.Git, "#")
	location, _, _ = strings.Cut(location, "?")
	if len(query) == 0 {
		return location
	}
	return location + "?" + query.Encode()
}

// path gives the source that a path is: an archive, or a directory that is a package or not.
func (l *lowering) path(s pyproject.Source, dir string) Source {
	at := s.Path
	if !pathpkg.IsAbs(at) {
		at = pathpkg.Join(dir, at)
	}
	if !l.isTree(at) {
		return Source{Kind: Path, Location: at}
	}
	if s.Editable != nil && *s.Editable {
		return Source{Kind: Editable, Location: at}
	}
	built := true
	if s.Package != nil {
		built = *s.Package
	} else if p, err := l.disk.project(at); err == nil && p != nil {
		built = isPackage(p, false)
	}
	if built {
		return Source{Kind: Directory, Location: at}
	}
	return Source{Kind: Virtual, Location: at}
}

// isTree tells a directory; what is not there is one if its name has no suffix.
func (l *lowering) isTree(at string) bool {
	if l.disk.isDir(at) {
		return true
	}
	_, err := l.disk.ReadFile(at)
	return err != nil && pathpkg.Ext(at) == ""
}

// plain gives a requirement as written: its source is an index, or what its URL says.
func (l *lowering) plain(r pep508.Requirement) Requirement {
	result := Requirement{Name: r.Name, Extras: r.Extras, Marker: r.Marker, Specifiers: r.Specifiers, Source: Source{Kind: Registry}}
	if r.URL == "" {
		return result
	}
	result.Source = Source{Kind: URL, Location: r.URL}
	location, fragment, _ := strings.Cut(r.URL, "#")
	options, _ := url.ParseQuery(fragment)
	if rest, ok := strings.CutPrefix(location, "git+"); ok {
		s := pyproject.Source{Git: rest, Subdirectory: options.Get("subdirectory"), LFS: options.Get("lfs") == "true"}
		// The revision stands after the path, which begins behind the host.
		host := max(strings.Index(rest, "://")+len("://"), 0)
		if slash := strings.IndexByte(rest[host:], '/'); slash >= 0 {
			if at := strings.LastIndexByte(rest[host+slash:], '@'); at >= 0 {
				s.Git, s.Rev = rest[:host+slash+at], rest[host+slash+at+1:]
			}
		}
		result.Source = Source{Kind: Git, Location: gitLocation(s)}
		return result
	}
	u, err := url.Parse(location)
	switch {
	case err == nil && u.Scheme == "file":
		result.Source = l.path(pyproject.Source{Path: u.Path}, l.dir)
	case !isURL(location):
		result.Source = l.path(pyproject.Source{Path: location}, l.dir)
	default:
		result.Source = Source{Kind: URL, Location: location, Subdirectory: options.Get("subdirectory")}
	}
	return result
}

// flatten puts the requirements of the project's own extras in the place of a requirement of them, as some build
// backends do (crates/uv-distribution/src/metadata/requires_dist.rs:344). extraOf gives the extra of each requirement.
func (l *lowering) flatten(list []need, extraOf []string) []need {
	type inclusion struct {
		extra     string
		condition pep508.Condition
	}
	var result []need
	var queue []inclusion
	include := func(n need) {
		for _, extra := range n.extras {
			queue = append(queue, inclusion{extra, n.key.condition})
		}
	}
	empty := l.anySource()
	for _, n := range list {
		if n.key.name != l.project.Name {
			result = append(result, n)
			continue
		}
		include(n)
		if n.key.source != empty {
			n.key.extras, n.extras = "", nil
			result = append(result, n)
		}
	}
	seen := map[inclusion]bool{}
	for i := 0; i < len(queue); i++ {
		from := queue[i]
		if seen[from] {
			continue
		}
		seen[from] = true
		for j, n := range list {
			if extraOf[j] != from.extra {
				continue
			}
			n.key.condition = l.AssumeExtras(l.And(from.condition, n.key.condition), func(name string) (active, ok bool) {
				return true, name == from.extra
			})
			if n.key.name == l.project.Name {
				include(n)
			} else {
				result = append(result, n)
			}
		}
	}
	return result
}

// anySource is the source of a requirement of any version from any index.
func (l *lowering) anySource() string {
	return l.needs.source(Requirement{Source: Source{Kind: Registry}}, l.dir)
}
