package lockfile

import (
	"maps"
	"slices"
	"strings"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// parser turns the TOML form into a Lock and collects what is wrong. The values' places are given as a table and the
// steps from there; they are only put together for a problem.
type parser struct {
	problems problems
	// markers are those seen so far: a lock has few different ones.
	markers map[string]pep508.Marker
}

// either gives the one of two tables that is there: a key and its older name.
func either[T any](p *parser, now, old map[string]T, in path, steps ...any) map[string]T {
	if now != nil && old != nil {
		p.problems.add(in.at(steps...), "it is given under both its names")
	}
	if now == nil {
		return old
	}
	return now
}

// named converts the values of a table whose keys are names.
func named[W, T any](p *parser, w map[string]W, convert func(W, path) T, in path) map[string]T {
	if w == nil {
		return nil
	}
	values := make(map[string]T, len(w))
	for _, key := range slices.Sorted(maps.Keys(w)) {
		name := p.name(key, in, key)
		if _, ok := values[name]; ok {
			p.problems.add(in.at(key), "%q is there twice", name)
		}
		values[name] = convert(w[key], in.at(key))
	}
	return values
}

func (p *parser) options(w *optionsWire, in path) Options {
	return Options{
		ResolutionMode: w.ResolutionMode, PrereleaseMode: w.PrereleaseMode, ForkStrategy: w.ForkStrategy,
		ExcludeNewer: w.ExcludeNewer, ExcludeNewerSpan: w.ExcludeNewerSpan,
		ExcludeNewerPackage: named(p, w.ExcludeNewerPackage, p.moment, in.at("exclude-newer-package")),
	}
}

// moment reads a timestamp, or a span in its place, or false.
func (p *parser) moment(w any, in path) string {
	if table, ok := w.(map[string]any); ok {
		if w = table["span"]; w == nil {
			w = table["timestamp"]
		}
	}
	switch w := w.(type) {
	case string:
		return w
	case bool:
		if !w {
			return "false"
		}
	}
	p.problems.add(in, "want a timestamp, a table with one, or false")
	return ""
}

func (p *parser) requirements(w []requirementWire, in path) []Requirement {
	if w == nil {
		return nil
	}
	list := make([]Requirement, len(w))
	for i := range w {
		list[i] = p.requirement(&w[i], in.at(i))
	}
	return list
}

func (p *parser) requirement(w *requirementWire, in path) Requirement {
	r := Requirement{
		Name:   p.name(w.Name, in, "name"),
		Extras: p.names(w.Extras, in, "extras"),
		Groups: p.names(w.Groups, in, "groups"),
		Marker: p.marker(w.Marker, in, "marker"),
	}
	var err error
	r.Source, err = sourceWire{
		Git: w.Git, URL: w.URL, Subdirectory: w.Subdirectory, Path: w.Path, Directory: w.Directory, Editable: w.Editable,
		Virtual: w.Virtual,
	}.source()
	if err != nil {
		r.Source = Source{Kind: Registry, Location: w.Index}
		r.Specifiers = p.specifiers(w.Specifier, in, "specifier")
		if w.Conflict != nil {
			item := p.conflict(w.Conflict, in.at("conflict"))
			r.Conflict = &item
		}
	}
	return r
}

func (p *parser) conflict(w map[string]string, in path) ConflictItem {
	var item ConflictItem
	for _, key := range slices.Sorted(maps.Keys(w)) {
		name := p.name(w[key], in, key)
		switch key {
		case "package":
			item.Package = name
		case "extra":
			item.Extra = name
		case "group":
			item.Group = name
		default:
			p.problems.add(in.at(key), "unknown key %q in a conflict", key)
		}
	}
	if item.Package == "" || item.Extra != "" && item.Group != "" {
		p.problems.add(in, "a conflict names a package and at most one of extra and group")
	}
	return item
}

func (p *parser) name(s string, in path, steps ...any) string {
	name, err := pep508.ParseName(s)
	if err != nil {
		p.problems.add(in.at(steps...), "%w", err)
	}
	return name
}

func (p *parser) names(list []string, in path, steps ...any) []string {
	if list == nil {
		return nil
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = p.name(s, in, append(steps, i)...)
	}
	return names
}

func (p *parser) specifiers(s string, in path, steps ...any) pep440.Specifiers {
	specifiers, err := pep440.ParseSpecifiers(s)
	if err != nil {
		p.problems.add(in.at(steps...), "%w", err)
	}
	return specifiers
}

func (p *parser) markerList(list []string, in path, steps ...any) []pep508.Marker {
	if list == nil {
		return nil
	}
	markers := make([]pep508.Marker, len(list))
	for i, s := range list {
		markers[i] = p.marker(s, in, append(steps, i)...)
	}
	return markers
}

// marker reads a marker; an empty one is always true.
func (p *parser) marker(s string, in path, steps ...any) pep508.Marker {
	if m, ok := p.markers[s]; ok || strings.TrimSpace(s) == "" {
		return m
	}
	m, err := pep508.ParseMarker(s)
	if err != nil {
		p.problems.add(in.at(steps...), "%w", err)
	}
	p.markers[s] = m
	return m
}
