package pyproject

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

type uvWire struct {
	DefaultGroups any   `toml:"default-groups"`
	Package       *bool `toml:"package"`
	Managed       *bool `toml:"managed"`
	Workspace     *struct {
		Members []string `toml:"members"`
		Exclude []string `toml:"exclude"`
	} `toml:"workspace"`
	DevDependencies  []string `toml:"dev-dependencies"`
	DependencyGroups map[string]struct {
		RequiresPython string `toml:"requires-python"`
	} `toml:"dependency-groups"`
	Sources              map[string]any        `toml:"sources"`
	Environments         any                   `toml:"environments"`
	RequiredEnvironments any                   `toml:"required-environments"`
	Conflicts            [][]map[string]string `toml:"conflicts"`
	Constraints          []string              `toml:"constraint-dependencies"`
	Overrides            []string              `toml:"override-dependencies"`
	BuildConstraints     []string              `toml:"build-constraint-dependencies"`
	Excludes             []string              `toml:"exclude-dependencies"`
	settingsWire
}

func (r *reader) uv(w *uvWire, p *Project) {
	in := []any{"tool", "uv"}
	at := func(steps ...any) []any { return slices.Concat(in, steps) }
	u := &p.UV
	u.Package, u.Managed = w.Package, w.Managed
	if w.Workspace != nil {
		u.Workspace = &Workspace{Members: w.Workspace.Members, Exclude: w.Workspace.Exclude}
	}
	u.DefaultGroups = r.defaultGroups(w.DefaultGroups, p)
	u.Sources = r.sources(w.Sources, at("sources"))
	u.Environments = r.environments(w.Environments, at("environments"))
	u.RequiredEnvironments = r.environments(w.RequiredEnvironments, at("required-environments"))
	for i, set := range w.Conflicts {
		u.Conflicts = append(u.Conflicts, r.conflict(set, at("conflicts", i)))
	}
	u.Constraints = r.requirements(w.Constraints, at("constraint-dependencies")...)
	u.Overrides = r.requirements(w.Overrides, at("override-dependencies")...)
	u.BuildConstraints = r.requirements(w.BuildConstraints, at("build-constraint-dependencies")...)
	u.Excludes = r.names(w.Excludes, at("exclude-dependencies")...)
	u.Settings = r.settings(&w.settingsWire, in...)
}

// groupPython reads [tool.uv.dependency-groups].
func (r *reader) groupPython(w *uvWire, g *grouping) map[string]pep440.Specifiers {
	var python map[string]pep440.Specifiers
	for _, key := range slices.Sorted(maps.Keys(w.DependencyGroups)) {
		place := []any{"tool", "uv", "dependency-groups", key}
		name := r.name(key, place...)
		if _, ok := g.items[name]; !ok && name != "" {
			r.add(fmt.Errorf("group %q is not defined in [dependency-groups]", name), place...)
		}
		if text := w.DependencyGroups[key].RequiresPython; text != "" {
			if python == nil {
				python = map[string]pep440.Specifiers{}
			}
			python[name] = r.specifiers(text, append(place, "requires-python")...)
		}
	}
	return python
}

// environments reads a marker or a list of them.
func (r *reader) environments(w any, place []any) []pep508.Marker {
	var markers []pep508.Marker
	list, ok := w.([]any)
	if !ok && w != nil {
		list = []any{w}
	}
	for i, item := range list {
		place := place
		if ok {
			place = slices.Concat(place, []any{i})
		}
		text, isText := item.(string)
		if !isText {
			r.add(errors.New("want a marker or a list of them"), place...)
			continue
		}
		markers = append(markers, r.marker(text, place...))
	}
	return markers
}

func (r *reader) conflict(w []map[string]string, place []any) []ConflictItem {
	items := make([]ConflictItem, len(w))
	for i, item := range w {
		place := slices.Concat(place, []any{i})
		for _, key := range slices.Sorted(maps.Keys(item)) {
			name := r.name(item[key], append(place, key)...)
			switch key {
			case "package":
				items[i].Package = name
			case "extra":
				items[i].Extra = name
			case "group":
				items[i].Group = name
			default:
				r.add(fmt.Errorf("unknown key %q in a conflict", key), append(place, key)...)
			}
		}
		if items[i] == (ConflictItem{}) || items[i].Extra != "" && items[i].Group != "" {
			r.add(errors.New("a conflict names a package, an extra or a group, and not both an extra and a group"), place...)
		}
	}
	if len(items) < 2 {
		r.add(errors.New("a set of conflicts has two items or more"), place...)
	}
	return items
}

// moment reads a point in time as text, or false for none.
func (r *reader) moment(w any, place []any) string {
	switch w := w.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(w)
	case bool:
		if !w {
			return "false"
		}
	}
	r.add(errors.New("want a date, a time or a span, in quotes"), place...)
	return ""
}

func (r *reader) name(s string, place ...any) string {
	name, err := pep508.ParseName(s)
	if err != nil {
		r.add(err, place...)
	}
	return name
}

func (r *reader) names(list []string, place ...any) []string {
	var names []string
	for i, s := range list {
		names = append(names, r.name(s, append(slices.Clip(place), i)...))
	}
	return names
}

func (r *reader) marker(s string, place ...any) pep508.Marker {
	m, err := pep508.ParseMarker(s)
	if err != nil {
		r.add(err, place...)
	}
	return m
}
