package lockfile

import (
	"fmt"
	"maps"
	"slices"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// edgeCheck is what Check does beyond uv: each requirement of a project has an edge, and the version that the edge leads
// to fits the requirement, so that a lock that was edited by hand is caught.
//
// A requirement counts where it applies on Linux for some Python that the lock serves. Where sources, overrides or
// conflicts decide instead of its specifiers, any edge will do.
type edgeCheck struct {
	lock    *Lock
	project *pyproject.Project
	root    *Package
	texts   []string
}

func (c *edgeCheck) run() {
	everywhere := c.environments()
	if !slices.Contains(c.project.Dynamic, "dependencies") {
		c.requirements("", c.project.Dependencies, c.root.Dependencies, everywhere)
	}
	if !slices.Contains(c.project.Dynamic, "optional-dependencies") {
		for _, extra := range slices.Sorted(maps.Keys(c.project.OptionalDependencies)) {
			c.requirements(fmt.Sprintf(" of extra %q", extra), c.project.OptionalDependencies[extra],
				c.root.OptionalDependencies[extra], everywhere)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(c.project.DependencyGroups)) {
		c.requirements(fmt.Sprintf(" of group %q", group), c.project.DependencyGroups[group],
			c.root.DevDependencies[group], everywhere)
	}
}

// environments are samples of what vpk can make an image for: each minor of CPython 3 on each architecture, as far as the
// lock allows it.
func (c *edgeCheck) environments() []pep508.Environment {
	const newestMinor, latePatch = 30, 20
	var list []pep508.Environment
	for minor := 6; minor <= newestMinor; minor++ {
		for _, patch := range []int{0, latePatch} {
			full := fmt.Sprintf("3.%d.%d", minor, patch)
			if !c.lock.RequiresPython.Contains(pep440.MustParse(full)) {
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

func (c *edgeCheck) supported(env pep508.Environment) bool {
	markers := c.lock.SupportedMarkers
	return len(markers) == 0 || slices.ContainsFunc(markers, func(m pep508.Marker) bool { return m.Evaluate(env, nil) })
}

// requirements wants an edge for each requirement of one list.
func (c *edgeCheck) requirements(of string, list []pep508.Requirement, edges []Dependency, envs []pep508.Environment) {
	for _, r := range list {
		switch {
		case r.Name == c.project.Name:
			// Extras of the project that name others of its own are flattened in the lock.
		case slices.Contains(c.lock.Manifest.Excludes, r.Name):
			// tool.uv.exclude-dependencies
		default:
			if problem := c.requirement(r, edges, envs); problem != "" {
				c.texts = append(c.texts, fmt.Sprintf("requirement %q%s of %q %s", r, of, c.project.Name, problem))
			}
		}
	}
}

func (c *edgeCheck) requirement(r pep508.Requirement, edges []Dependency, envs []pep508.Environment) string {
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
		case free:
			// An override may have a marker of its own.
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
