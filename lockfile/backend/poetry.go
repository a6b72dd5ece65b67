package backend

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"vpk/lockfile/pep440"
)

// poetry is poetry-core.
type poetry struct{ w poetryWire }

type poetryWire struct {
	Name          string   `toml:"name"`
	Version       string   `toml:"version"`
	Description   string   `toml:"description"`
	Authors       []string `toml:"authors"`
	Maintainers   []string `toml:"maintainers"`
	License       string   `toml:"license"`
	Readme        any      `toml:"readme"`
	Homepage      string   `toml:"homepage"`
	Repository    string   `toml:"repository"`
	Documentation string   `toml:"documentation"`
	Keywords      []string `toml:"keywords"`
	Classifiers   []string `toml:"classifiers"`
	Packages      []struct {
		Include string `toml:"include"`
		From    string `toml:"from"`
		To      string `toml:"to"`
		Format  any    `toml:"format"`
	} `toml:"packages"`
	Scripts      map[string]any               `toml:"scripts"`
	Plugins      map[string]map[string]string `toml:"plugins"`
	URLs         map[string]string            `toml:"urls"`
	Dependencies map[string]any               `toml:"dependencies"`
	Build        any                          `toml:"build"`
}

func newPoetry(p *project) (maker, error) {
	var doc struct {
		Tool struct {
			Poetry poetryWire `toml:"poetry"`
		} `toml:"tool"`
	}
	if err := p.decode(&doc); err != nil {
		return nil, err
	}
	return poetry{doc.Tool.Poetry}, nil
}

func (b poetry) findRoots(p *project) error {
	if b.w.Build != nil {
		if table, ok := b.w.Build.(map[string]any); !ok || table["script"] != nil {
			p.cannot("tool.poetry.build runs code")
		}
	}
	for _, list := range b.w.Packages {
		if format, ok := list.Format.(string); ok && format == "sdist" {
			continue
		}
		if list.To != "" {
			p.cannot("packages of [tool.poetry] moves %s to %s", list.Include, list.To)
		}
		p.addRoot(path.Join(".", list.From))
	}
	if len(b.w.Packages) > 0 {
		return nil
	}
	name := p.moduleName()
	for _, root := range []string{".", "src"} {
		if at := path.Join(root, name); p.isDir(at) || p.isFile(at+".py") {
			p.addRoot(root)
			return nil
		}
	}
	p.cannot("there is no package %s where poetry looks for it", name)
	return nil
}

// complete takes from [tool.poetry] what is not in [project]: everything, or the fields that are dynamic.
func (b poetry) complete(p *project) error {
	m := &p.metadata
	take := func(field string, into *string, value string) {
		if p.isDynamic(field) && value != "" {
			*into = value
		}
	}
	take("name", &m.name, b.w.Name)
	take("version", &m.version, b.w.Version)
	take("description", &m.summary, b.w.Description)
	if p.table == nil {
		m.license = b.w.License
	}
	if p.isDynamic("authors") {
		m.authors = poetryPeople(b.w.Authors)
	}
	if p.isDynamic("maintainers") {
		m.maintainers = poetryPeople(b.w.Maintainers)
	}
	if p.isDynamic("keywords") {
		m.keywords = b.w.Keywords
	}
	if p.isDynamic("classifiers") {
		m.classifiers = b.w.Classifiers
	}
	if p.isDynamic("readme") {
		b.readme(p)
	}
	if p.isDynamic("urls") {
		for name, url := range map[string]string{"Homepage": b.w.Homepage, "Repository": b.w.Repository, "Documentation": b.w.Documentation} {
			if url != "" {
				m.addURL(name, url)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(b.w.URLs)) {
			m.addURL(name, b.w.URLs[name])
		}
	}
	if p.isDynamic("requires-python") {
		m.requiresPython = poetryPython(b.w.Dependencies["python"])
	}
	if p.isDynamic("dependencies") || p.isDynamic("optional-dependencies") {
		p.requireAsLocked()
	}
	if p.isDynamic("scripts") {
		b.scripts(p)
	}
	if p.isDynamic("entry-points") {
		for group, points := range b.w.Plugins {
			for name, value := range points {
				p.entryPoints.add(group, name, value)
			}
		}
	}
	return nil
}

func (b poetry) readme(p *project) {
	switch readme := b.w.Readme.(type) {
	case string:
		p.readmeFile(readme, "")
	case []any:
		var texts []string
		for _, item := range readme {
			if name, ok := item.(string); ok {
				p.readmeFile(name, "")
				texts = append(texts, p.metadata.description)
			}
		}
		p.metadata.description = strings.Join(texts, "\n")
	}
}

func (b poetry) scripts(p *project) {
	for name, value := range b.w.Scripts {
		switch value := value.(type) {
		case string:
			p.entryPoints.add(consoleScripts, name, value)
		case map[string]any:
			reference, ok := value["reference"].(string)
			if kind, _ := value["type"].(string); !ok || kind == "file" {
				p.cannot("the script %s of [tool.poetry] is a file", name)
				continue
			}
			p.entryPoints.add(consoleScripts, name, reference)
		}
	}
}

// poetryPeople reads "Name <address>".
func poetryPeople(list []string) []person {
	var people []person
	for _, text := range list {
		name, address, _ := strings.Cut(text, "<")
		people = append(people, person{strings.TrimSpace(name), strings.TrimSuffix(strings.TrimSpace(address), ">")})
	}
	return people
}

// poetryPython is requires-python as poetry's dependency "python" says it: specifiers of PEP 440, or ^ and ~. It is empty for
// what is neither.
func poetryPython(w any) string {
	text, _ := w.(string)
	if text == "" || text == "*" {
		return ""
	}
	var clauses []string
	for clause := range strings.SplitSeq(text, ",") {
		clause = strings.TrimSpace(clause)
		operator := clause[:len(clause)-len(strings.TrimLeft(clause, "^~"))]
		if operator == "" || strings.HasPrefix(clause, "~=") {
			clauses = append(clauses, clause)
			continue
		}
		v, err := pep440.Parse(strings.TrimSpace(clause[len(operator):]))
		release := v.Release()
		if err != nil || len(release) == 0 {
			return ""
		}
		fixed := 0 // the place of the number that the upper bound raises
		if len(release) > 1 && operator == "~" {
			fixed = 1
		}
		number, err := strconv.Atoi(release[fixed])
		if err != nil {
			return ""
		}
		upper := fmt.Sprintf("<%s.%d", release[0], number+1)
		if fixed == 0 {
			upper = fmt.Sprintf("<%d.0", number+1)
		}
		clauses = append(clauses, ">="+v.String(), upper)
	}
	specifiers, err := pep440.ParseSpecifiers(strings.Join(clauses, ","))
	if err != nil {
		return ""
	}
	return specifiers.String()
}
