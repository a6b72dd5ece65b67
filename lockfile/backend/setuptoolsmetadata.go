package backend

import (
	"maps"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep508"
)

// complete reads what is dynamic: tool.setuptools.dynamic, else setup.cfg.
func (s setuptools) complete(p *project) error {
	if p.table == nil {
		return s.fromConfig(p)
	}
	m := &p.metadata
	for _, field := range p.table.Dynamic {
		setting, _ := s.w.Dynamic[field].(map[string]any)
		text, isFile := s.files(p, setting["file"])
		switch field {
		case "version":
			if err := s.version(p, setting); err != nil {
				return err
			}
		case "readme":
			m.contentType, _ = setting["content-type"].(string)
			m.description = text
			if m.description == "" {
				s.longDescription(p)
			}
		case "description":
			m.summary = strings.TrimSpace(text)
			if !isFile {
				m.summary = s.cfg["metadata"]["description"]
			}
		case "keywords":
			m.keywords = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' })
		case "classifiers":
			m.classifiers = lines(text)
		case "requires-python":
			m.requiresPython = specifiers(s.cfg["options"]["python_requires"])
		case "dependencies":
			if isFile {
				if err := m.replaceRequirements(p, "", lines(text)); err != nil {
					return err
				}
			}
		case "optional-dependencies":
			for _, extra := range slices.Sorted(maps.Keys(setting)) {
				one, _ := setting[extra].(map[string]any)
				text, _ := s.files(p, one["file"])
				if err := m.replaceRequirements(p, normalize(extra), lines(text)); err != nil {
					return err
				}
			}
		case "scripts", "gui-scripts", "entry-points":
			points := s.cfg.points()
			if isFile {
				var err error
				if points, err = parseINI(text); err != nil {
					return fault.New(fault.Usage, "", "%s: entry points: %w", p.manifest.Filename, err)
				}
			}
			for group, list := range points {
				p.entryPoints.addAll(group, list)
			}
		}
	}
	return nil
}

// replaceRequirements puts the requirements of a file in the place of what the lock recorded: those of an extra, or where it
// is empty, those of none.
func (m *metadata) replaceRequirements(p *project, extra string, texts []string) error {
	var list []pep508.Requirement
	for _, text := range texts {
		r, err := pep508.ParseRequirement(text)
		if err != nil {
			return fault.New(fault.Usage, "", "%s: %w", p.manifest.Filename, err)
		}
		list = append(list, r)
	}
	of := func(r pep508.Requirement) bool {
		for _, name := range m.extras {
			if strings.Contains(r.Marker.String(), "extra == '"+name+"'") {
				return name == extra
			}
		}
		return extra == ""
	}
	m.requires = slices.DeleteFunc(m.requires, of)
	if extra == "" {
		m.requires = slices.Concat(list, m.requires)
		return nil
	}
	return m.addExtra(extra, list)
}

// lines are those of a file of requirements or classifiers, without comments.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " #")
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// files is the text of a file or of several.
func (s setuptools) files(p *project, setting any) (string, bool) {
	var names []string
	switch w := setting.(type) {
	case string:
		names = []string{w}
	case []any:
		for _, item := range w {
			if name, ok := item.(string); ok {
				names = append(names, name)
			}
		}
	}
	var texts []string
	for _, name := range names {
		if text, ok := p.read(name); ok {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n"), len(names) > 0
}

// version reads a dynamic version of [project].
func (s setuptools) version(p *project, setting map[string]any) error {
	attribute, _ := setting["attr"].(string)
	text, isFile := s.files(p, setting["file"])
	switch {
	case attribute != "":
		p.versionByAttribute(attribute, append(s.layout(p), "."))
	case isFile:
		p.metadata.version = strings.TrimSpace(text)
	case s.scm:
		p.cannotVersion("its version is that of version control (setuptools-scm)")
	case s.cfg["metadata"]["version"] != "":
		s.configVersion(p)
	}
	return nil
}

// configVersion reads version of [metadata] in setup.cfg: itself, attr: or file:.
func (s setuptools) configVersion(p *project) {
	text := s.cfg["metadata"]["version"]
	if attribute, ok := strings.CutPrefix(text, "attr:"); ok {
		p.versionByAttribute(strings.TrimSpace(attribute), append(s.layout(p), "."))
		return
	}
	if name, ok := strings.CutPrefix(text, "file:"); ok {
		text, _ = p.read(strings.TrimSpace(name))
	}
	p.metadata.version = strings.TrimSpace(text)
}

// fromConfig takes all metadata from setup.cfg.
func (s setuptools) fromConfig(p *project) error {
	c, m := s.cfg["metadata"], &p.metadata
	if c["name"] == "" {
		return nil
	}
	m.name, m.summary = c["name"], c["description"]
	switch {
	case c["version"] != "":
		s.configVersion(p)
	case s.scm:
		p.cannotVersion("its version is that of version control (setuptools-scm)")
	}
	m.authors = configPeople(c["author"], c["author_email"])
	m.maintainers = configPeople(c["maintainer"], c["maintainer_email"])
	m.licenseText = c["license"]
	m.keywords, m.classifiers = s.cfg.list("metadata", "keywords"), s.cfg.list("metadata", "classifiers")
	if c["url"] != "" {
		m.addURL("Homepage", c["url"])
	}
	urls := s.cfg.table("metadata", "project_urls")
	for _, label := range slices.Sorted(maps.Keys(urls)) {
		m.addURL(label, urls[label])
	}
	m.requiresPython = specifiers(s.cfg["options"]["python_requires"])
	s.longDescription(p)
	if globs := s.cfg.list("metadata", "license_files"); globs != nil {
		m.licenseGlobs = globs
	}
	if err := m.replaceRequirements(p, "", s.cfg.list("options", "install_requires")); err != nil {
		return err
	}
	for _, extra := range slices.Sorted(maps.Keys(s.cfg["options.extras_require"])) {
		if err := m.replaceRequirements(p, normalize(extra), s.cfg.list("options.extras_require", extra)); err != nil {
			return err
		}
	}
	for group, points := range s.cfg.points() {
		p.entryPoints.addAll(group, points)
	}
	return nil
}

func configPeople(name, address string) []person {
	if name == "" && address == "" {
		return nil
	}
	return []person{{name, address}}
}

// longDescription takes that of setup.cfg, a text or files.
func (s setuptools) longDescription(p *project) {
	text := s.cfg["metadata"]["long_description"]
	if names, ok := strings.CutPrefix(text, "file:"); ok {
		for name := range strings.SplitSeq(names, ",") {
			p.readmeFile(strings.TrimSpace(name), s.cfg["metadata"]["long_description_content_type"])
		}
		return
	}
	p.metadata.description = text
}

// points are the entry points of setup.cfg.
func (i ini) points() ini {
	points := ini{}
	for group := range i["options.entry_points"] {
		points[group] = i.table("options.entry_points", group)
	}
	return points
}
