package lockfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// Check tells whether a lock still fits its project: the project is in it, requires-python is the same range, and every
// requirement of the project has an edge whose version fits. A lock that fails is stale: the error is of kind fault.Lock
// and names all that is wrong.
//
// It only judges what an image can be wrong by, and only what can be decided: a requirement counts where it applies on
// Linux for some Python that the lock serves, and where sources, overrides or conflicts decide instead of its specifiers,
// any edge will do. uv's own check (`uv lock --check`) compares more.
func Check(lock *Lock, project *pyproject.Project) error {
	if project.Name == "" {
		return nil // a workspace root that is no project has no requirements of its own
	}
	c := checker{lock: lock, project: project}
	c.run()
	if len(c.texts) == 0 {
		return nil
	}
	return fault.New(fault.Lock, "run `uv lock`", "%s is out of date:\n  %s", lock.Filename, strings.Join(c.texts, "\n  "))
}

type checker struct {
	lock    *Lock
	project *pyproject.Project
	root    *Package
	texts   []string
}

func (c *checker) fail(format string, args ...any) {
	c.texts = append(c.texts, fmt.Sprintf(format, args...))
}

func (c *checker) run() {
	for _, p := range c.lock.Named(c.project.Name) {
		if p.Source.IsTree() {
			c.root = p
		}
	}
	if c.root == nil {
		c.fail("project %q is not in it", c.project.Name)
		return
	}
	c.python()
	everywhere := c.environments(nil)
	if !slices.Contains(c.project.Dynamic, "dependencies") {
		c.requirements("", c.project.Dependencies, c.root.Dependencies, c.root.Metadata.RequiresDist, everywhere)
	}
	if !slices.Contains(c.project.Dynamic, "optional-dependencies") {
		for _, extra := range slices.Sorted(maps.Keys(c.project.OptionalDependencies)) {
			c.requirements(fmt.Sprintf(" of extra %q", extra), c.project.OptionalDependencies[extra],
				c.root.OptionalDependencies[extra], c.root.Metadata.RequiresDist, everywhere)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(c.project.DependencyGroups)) {
		c.requirements(fmt.Sprintf(" of group %q", group), c.project.DependencyGroups[group],
			c.root.DevDependencies[group], c.root.Metadata.RequiresDev[group], c.environments(c.project.UV.GroupPython[group]))
	}
}

// python compares the ranges of requires-python, as uv does without the holes in them. In a workspace the lock's is the
// intersection of the members', so that it can only be told whether it lies within the project's.
func (c *checker) python() {
	if c.project.RequiresPython == nil || slices.Contains(c.project.Dynamic, "requires-python") {
		return
	}
	lower, upper, ok := c.project.RequiresPython.Bounds()
	lockLower, lockUpper, lockOK := c.lock.RequiresPython.Bounds()
	if !ok || !lockOK {
		return
	}
	same := sameBound(lower, lockLower) && sameBound(upper, lockUpper)
	if len(c.lock.Manifest.Members) > 1 {
		same = !startsBefore(lockLower, lower) && !endsAfter(lockUpper, upper)
	}
	if !same {
		c.fail("requires-python is %q, not %q as in %s", c.lock.RequiresPython, c.project.RequiresPython, c.project.Filename)
	}
}

func sameBound(a, b pep440.Bound) bool {
	if a.Version.IsZero() || b.Version.IsZero() {
		return a.Version.IsZero() == b.Version.IsZero()
	}
	return a.Inclusive == b.Inclusive && a.Version.Equal(b.Version)
}

// startsBefore tells whether a range with lower bound a holds versions below lower bound b.
func startsBefore(a, b pep440.Bound) bool {
	if a.Version.IsZero() || b.Version.IsZero() {
		return a.Version.IsZero() && !b.Version.IsZero()
	}
	order := a.Version.Compare(b.Version)
	return order < 0 || order == 0 && a.Inclusive && !b.Inclusive
}

// endsAfter tells whether a range with upper bound a holds versions above upper bound b.
func endsAfter(a, b pep440.Bound) bool {
	if a.Version.IsZero() || b.Version.IsZero() {
		return a.Version.IsZero() && !b.Version.IsZero()
	}
	order := a.Version.Compare(b.Version)
	return order > 0 || order == 0 && a.Inclusive && !b.Inclusive
}

// environments are samples of what vpk can make an image for: each minor of CPython 3 on each architecture, as far as the
// lock, and a group's own requires-python, allow it.
func (c *checker) environments(also pep440.Specifiers) []pep508.Environment {
	const newestMinor, latePatch = 30, 20
	var list []pep508.Environment
	for minor := 6; minor <= newestMinor; minor++ {
		for _, patch := range []int{0, latePatch} {
			full := fmt.Sprintf("3.%d.%d", minor, patch)
			version := pep440.MustParse(full)
			if !c.lock.RequiresPython.Contains(version) || !also.Contains(version) {
				continue
			}
			for _, arch := range []tag.Arch{tag.X8664, tag.AArch64} {
				env := MarkerEnvironment(tag.Target{Python: tag.Python{Major: 3, Minor: minor, Full: full}, Arch: arch})
				if c.supported(env) {
					list = append(list, env)
				}
			}
		}
	}
	return list
}

func (c *checker) supported(env pep508.Environment) bool {
	markers := c.lock.SupportedMarkers
	return len(markers) == 0 || slices.ContainsFunc(markers, func(m pep508.Marker) bool { return m.Evaluate(env, nil) })
}

// requirements wants an edge for each requirement of one list.
func (c *checker) requirements(of string, list []pep508.Requirement, edges []Dependency, locked []Requirement, envs []pep508.Environment) {
	for _, r := range list {
		switch {
		case r.Name == c.project.Name:
			// Extras of the project that name others of its own are flattened in the lock.
		case slices.Contains(c.lock.Manifest.Excludes, r.Name):
			// tool.uv.exclude-dependencies
		default:
			if problem := c.requirement(r, edges, locked, envs); problem != "" {
				c.fail("requirement %q%s %s", r, of, problem)
			}
		}
	}
}

func (c *checker) requirement(r pep508.Requirement, edges []Dependency, locked []Requirement, envs []pep508.Environment) string {
	if missing := missingExtras(r, locked); len(missing) > 0 {
		return "is locked without extra " + quoted(missing)
	}
	free := slices.ContainsFunc(c.lock.Manifest.Overrides, func(o Requirement) bool { return o.Name == r.Name })
	for _, env := range envs {
		if !r.Marker.Evaluate(env, nil) {
			continue
		}
		var unfit *Package
		fits := false
		for i := range edges {
			e := &edges[i]
			// With conflicts, which edge counts depends on what is active: any may.
			if e.Package.Name != r.Name || len(c.lock.Conflicts) == 0 && !e.Marker.Evaluate(env, nil) {
				continue
			}
			if free || satisfies(e.Package, r) {
				fits = true
			} else if unfit == nil {
				unfit = e.Package
			}
		}
		switch {
		case fits:
		case unfit != nil:
			return "is locked to " + unfit.Version.String()
		default:
			return "is not locked"
		}
	}
	return ""
}

// satisfies tells whether a package's version lies in a requirement's specifiers. Only those of an index are held to it:
// another source replaces the specifiers.
func satisfies(p *Package, r pep508.Requirement) bool {
	return p.Source.Kind != Registry || r.URL != "" || p.Version.IsZero() || r.Specifiers.Contains(p.Version)
}

// missingExtras are the extras of a requirement that it did not have when it was locked. Edges do not tell: they leave out
// extras that bring nothing.
func missingExtras(r pep508.Requirement, locked []Requirement) []string {
	var known []string
	found := false
	for _, l := range locked {
		if l.Name == r.Name {
			found = true
			known = append(known, l.Extras...)
		}
	}
	if !found {
		return nil // a lock of an early revision, or a requirement without an edge, which is told elsewhere
	}
	return slices.DeleteFunc(slices.Clone(r.Extras), func(extra string) bool { return slices.Contains(known, extra) })
}
