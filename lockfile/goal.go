package lockfile

import (
	"fmt"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/lockfile/pep508"
)

// goal is what a request selects for (spec §2.2, crates/uv/src/commands/project/install_target.rs:74).
type goal struct {
	// roots are the projects, each once.
	roots []*Package
	// workspace tells that all of the workspace is meant, with the groups of a root that is no project.
	workspace bool
	// project is the one project that is meant; nil where there may be several.
	project *Package
}

// String names the goal for messages.
func (g goal) String() string {
	if len(g.roots) == 0 {
		return "the workspace"
	}
	names := make([]string, len(g.roots))
	for i, root := range g.roots {
		names[i] = root.Name
	}
	return quoted(names)
}

// goal finds what a request selects for. All packages that are not there are told at once.
func (l *Lock) goal(r Request) (goal, error) {
	names := make([]string, 0, len(r.Packages))
	for _, name := range r.Packages {
		if name = pep508.NormalizeName(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var problems problemsOfRoots
	root := l.root()
	if r.Project != "" {
		// That a project is there at all uv wants whatever is asked for.
		named := l.rootNamed(pep508.NormalizeName(r.Project), &problems)
		if named == nil {
			return goal{}, problems.err()
		}
		if !r.AllPackages {
			root = named
		}
	}
	var at goal
	switch {
	case r.AllPackages && len(names) > 0:
		return at, fault.New(fault.Usage, "choose one of them", "all packages and package %s are asked for", quoted(names))
	case len(names) > 0:
	case root != nil && (!r.AllPackages || len(l.Manifest.Members) == 0):
		at.workspace = r.AllPackages
		at.roots, at.project = []*Package{root}, root
		return at, nil
	default:
		at.workspace = true
		names = l.Manifest.Members
	}
	for _, name := range names {
		if p := l.rootNamed(name, &problems); p != nil {
			at.roots = append(at.roots, p)
		}
	}
	if len(r.Packages) == 1 && len(at.roots) == 1 {
		at.project = at.roots[0]
	}
	return at, problems.err()
}

// root is the project in the lock's own directory, nil where there is none.
func (l *Lock) root() *Package {
	for _, p := range l.Packages {
		if p.Source.IsRoot() {
			return p
		}
	}
	return nil
}

type problemsOfRoots struct{ texts, hints []string }

func (p *problemsOfRoots) err() error {
	if len(p.texts) == 0 {
		return nil
	}
	hints := slices.Compact(p.hints)
	return fault.New(fault.Lock, strings.Join(hints, "; "), "%s", strings.Join(p.texts, "\n"))
}

// rootNamed is the one package of a normalised name.
func (l *Lock) rootNamed(name string, problems *problemsOfRoots) *Package {
	switch found := l.byName[name]; len(found) {
	case 0:
		problems.texts = append(problems.texts, fmt.Sprintf("%s has no package %q", l.Filename, name))
		members := l.Members()
		switch near := spelling.Nearest(name, members); {
		case near != "":
			problems.hints = append(problems.hints, fmt.Sprintf("did you mean %q?", near))
		case len(members) > 0:
			problems.hints = append(problems.hints, "run `uv lock`, or name a member of the workspace: "+strings.Join(members, ", "))
		default:
			problems.hints = append(problems.hints, "run `uv lock`")
		}
		return nil
	case 1:
		return found[0]
	default:
		problems.texts = append(problems.texts, fmt.Sprintf("%s has %d packages named %q: one of them cannot be the root",
			l.Filename, len(found), name))
		return nil
	}
}

// Members are the names of the workspace's packages, the single project's where it is no workspace.
func (l *Lock) Members() []string {
	if root := l.root(); len(l.Manifest.Members) == 0 && root != nil {
		return []string{root.Name}
	}
	return l.Manifest.Members
}
