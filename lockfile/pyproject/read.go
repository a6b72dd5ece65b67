package pyproject

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/tomlpos"
)

type wire struct {
	Project *struct {
		Name                 *string             `toml:"name"`
		Version              *string             `toml:"version"`
		Dynamic              []string            `toml:"dynamic"`
		RequiresPython       *string             `toml:"requires-python"`
		Dependencies         []string            `toml:"dependencies"`
		OptionalDependencies map[string][]string `toml:"optional-dependencies"`
		Scripts              map[string]string   `toml:"scripts"`
	} `toml:"project"`
	BuildSystem      *map[string]any  `toml:"build-system"`
	DependencyGroups map[string][]any `toml:"dependency-groups"`
	Tool             struct {
		UV     uvWire          `toml:"uv"`
		Poetry *map[string]any `toml:"poetry"`
	} `toml:"tool"`
}

// Read reads a pyproject.toml. The file name is only for messages. Errors are of kind fault.Usage; except for TOML's own,
// all problems are reported at once, with their lines.
func Read(data []byte, filename string) (*Project, error) {
	var w wire
	if err := tomlpos.Decode(data, filename, &w); err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	r := reader{}
	p := r.project(&w)
	p.Filename, p.Data = filename, data
	if err := r.err(filename, data); err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	return p, nil
}

// reader turns the TOML form into a Project and collects what is wrong.
type reader struct {
	problems []problem
}

type problem struct {
	place []any
	err   error
}

func (r *reader) add(err error, place ...any) {
	r.problems = append(r.problems, problem{slices.Clone(place), err})
}

func (r *reader) err(filename string, data []byte) error {
	if len(r.problems) == 0 {
		return nil
	}
	index := tomlpos.NewIndex(data)
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		return cmp.Compare(index.Line(a.place...), index.Line(b.place...))
	})
	texts := make([]string, len(r.problems))
	for i, p := range r.problems {
		texts[i] = fmt.Sprintf("%s:%d: %v", filename, max(1, index.Line(p.place...)), p.err)
	}
	return errors.New(strings.Join(texts, "\n"))
}

func (r *reader) project(w *wire) *Project {
	p := &Project{HasBuildSystem: w.BuildSystem != nil, HasPoetry: w.Tool.Poetry != nil}
	if w.Project != nil {
		r.metadata(w, p)
	}
	g := r.newGrouping(w.DependencyGroups)
	g.python = r.groupPython(&w.Tool.UV, g)
	p.UV.GroupPython = g.python
	p.DependencyGroups, p.GroupIncludes = g.flatten(), g.includes()
	if w.Tool.UV.DevDependencies != nil {
		if p.DependencyGroups == nil {
			p.DependencyGroups = map[string][]pep508.Requirement{}
		}
		legacy := r.requirements(w.Tool.UV.DevDependencies, "tool", "uv", "dev-dependencies")
		p.DependencyGroups["dev"] = slices.Concat(p.DependencyGroups["dev"], legacy)
	}
	r.uv(&w.Tool.UV, p)
	return p
}

func (r *reader) metadata(w *wire, p *Project) {
	m := w.Project
	var err error
	if m.Name == nil {
		r.add(errors.New("key \"name\" is missing in [project]"), "project")
	} else if p.Name, err = pep508.ParseName(*m.Name); err != nil {
		r.add(err, "project", "name")
	}
	p.Dynamic = m.Dynamic
	switch dynamic := slices.Contains(m.Dynamic, "version"); {
	case m.Version != nil:
		if p.Version, err = pep440.Parse(*m.Version); err != nil {
			r.add(err, "project", "version")
		}
	case !dynamic:
		r.add(errors.New("key \"version\" is missing in [project] and not in dynamic"), "project")
	}
	if m.RequiresPython != nil {
		p.RequiresPython = r.specifiers(*m.RequiresPython, "project", "requires-python")
	}
	p.Dependencies = r.requirements(m.Dependencies, "project", "dependencies")
	if m.OptionalDependencies != nil {
		p.OptionalDependencies = map[string][]pep508.Requirement{}
	}
	for _, key := range slices.Sorted(maps.Keys(m.OptionalDependencies)) {
		place := []any{"project", "optional-dependencies", key}
		name, err := pep508.ParseName(key)
		if err != nil {
			r.add(err, place...)
		}
		if _, ok := p.OptionalDependencies[name]; ok {
			r.add(fmt.Errorf("extra %q is there twice", name), place...)
		}
		p.OptionalDependencies[name] = r.requirements(m.OptionalDependencies[key], place...)
	}
	p.Scripts = m.Scripts
}

// defaultGroups reads a list of groups, each defined but for "dev", or "all".
func (r *reader) defaultGroups(w any, p *Project) DefaultGroups {
	place := []any{"tool", "uv", "default-groups"}
	switch w := w.(type) {
	case nil:
		return DefaultGroups{}
	case string:
		if w == "all" {
			return DefaultGroups{Set: true, All: true}
		}
	case []any:
		d := DefaultGroups{Set: true}
		for i, item := range w {
			s, ok := item.(string)
			if !ok {
				r.add(errors.New("a default group is no string"), append(place, i)...)
				continue
			}
			name, err := pep508.ParseName(s)
			if err != nil {
				r.add(err, append(place, i)...)
			} else if _, defined := p.DependencyGroups[name]; !defined && name != "dev" {
				r.add(fmt.Errorf("default group %q (tool.uv.default-groups) is not defined in [dependency-groups]%s", name, meant(name, p.DependencyGroups)), append(place, i)...)
			}
			d.Names = append(d.Names, name)
		}
		return d
	}
	r.add(errors.New("default-groups: want a list of groups or \"all\""), place...)
	return DefaultGroups{}
}

func (r *reader) requirements(list []string, place ...any) []pep508.Requirement {
	if list == nil {
		return nil
	}
	requirements := make([]pep508.Requirement, len(list))
	for i, s := range list {
		requirements[i] = r.requirement(s, append(place, i)...)
	}
	return requirements
}

func (r *reader) requirement(s string, place ...any) pep508.Requirement {
	requirement, err := pep508.ParseRequirement(s)
	if err != nil {
		r.add(err, place...)
	}
	return requirement
}

func (r *reader) specifiers(s string, place ...any) pep440.Specifiers {
	specifiers, err := pep440.ParseSpecifiers(s)
	if err != nil {
		r.add(err, place...)
	}
	return specifiers
}
