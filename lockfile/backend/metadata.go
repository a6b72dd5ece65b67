package backend

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// table is [project] as it is written.
type table struct {
	Name         string                       `toml:"name"`
	Version      string                       `toml:"version"`
	Description  string                       `toml:"description"`
	Readme       any                          `toml:"readme"`
	License      any                          `toml:"license"`
	LicenseFiles []string                     `toml:"license-files"`
	Authors      []person                     `toml:"authors"`
	Maintainers  []person                     `toml:"maintainers"`
	Keywords     []string                     `toml:"keywords"`
	Classifiers  []string                     `toml:"classifiers"`
	URLs         map[string]string            `toml:"urls"`
	Scripts      map[string]string            `toml:"scripts"`
	GUIScripts   map[string]string            `toml:"gui-scripts"`
	EntryPoints  map[string]map[string]string `toml:"entry-points"`
	Dynamic      []string                     `toml:"dynamic"`
}

// person is an author or maintainer; one of the two may be empty.
type person struct {
	Name  string `toml:"name"`
	Email string `toml:"email"`
}

// metadata is what METADATA says.
type metadata struct {
	name, version, summary   string
	urls                     []string // "label, URL"
	authors, maintainers     []person
	license, licenseText     string // an expression, or else text
	licenseGlobs             []string
	licenseFiles             []string
	keywords, classifiers    []string
	requiresPython           string
	requires                 []pep508.Requirement
	extras                   []string
	contentType, description string
}

// fromTable takes what [project] says.
func (p *project) fromTable() error {
	t, m := p.table, &p.metadata
	m.name, m.version, m.summary = t.Name, p.manifest.Version.String(), t.Description
	m.authors, m.maintainers, m.keywords, m.classifiers = t.Authors, t.Maintainers, t.Keywords, t.Classifiers
	for _, label := range slices.Sorted(maps.Keys(t.URLs)) {
		m.addURL(label, t.URLs[label])
	}
	m.requiresPython = p.manifest.RequiresPython.String()
	m.licenseGlobs = t.LicenseFiles
	switch license := t.License.(type) {
	case string:
		m.license = license
	case map[string]any:
		if text, ok := license["text"].(string); ok {
			m.licenseText = text
		} else if name, ok := license["file"].(string); ok {
			m.licenseText, _ = p.read(name)
			m.licenseGlobs = append(slices.Clone(m.licenseGlobs), name)
		}
	}
	switch readme := t.Readme.(type) {
	case string:
		p.readmeFile(readme, "")
	case map[string]any:
		contentType, _ := readme["content-type"].(string)
		if name, ok := readme["file"].(string); ok {
			p.readmeFile(name, contentType)
		} else if text, ok := readme["text"].(string); ok {
			m.description, m.contentType = text, contentType
		}
	}
	p.entryPoints.addAll(consoleScripts, t.Scripts)
	p.entryPoints.addAll(guiScripts, t.GUIScripts)
	for _, group := range slices.Sorted(maps.Keys(t.EntryPoints)) {
		p.entryPoints.addAll(group, t.EntryPoints[group])
	}
	m.requires = slices.Clone(p.manifest.Dependencies)
	for _, extra := range slices.Sorted(maps.Keys(p.manifest.OptionalDependencies)) {
		if err := m.addExtra(extra, p.manifest.OptionalDependencies[extra]); err != nil {
			return err
		}
	}
	if slices.Contains(t.Dynamic, "dependencies") || slices.Contains(t.Dynamic, "optional-dependencies") {
		p.requireAsLocked()
	}
	return nil
}

func (m *metadata) addURL(label, url string) { m.urls = append(m.urls, label+", "+url) }

// addExtra adds an extra with its requirements.
func (m *metadata) addExtra(extra string, requires []pep508.Requirement) error {
	if !slices.Contains(m.extras, extra) {
		m.extras = append(m.extras, extra)
	}
	marker, err := pep508.ParseMarker("extra == '" + extra + "'")
	if err != nil {
		return err
	}
	for _, r := range requires {
		r.Marker = r.Marker.And(marker)
		m.requires = append(m.requires, r)
	}
	return nil
}

// requireAsLocked takes the requirements that the lock recorded, in place of all others.
func (p *project) requireAsLocked() {
	m := &p.metadata
	m.requires, m.extras = nil, slices.Clone(p.options.Extras)
	for _, text := range p.options.Requires {
		if r, err := pep508.ParseRequirement(text); err == nil { // the lock was proven when it was read
			m.requires = append(m.requires, r)
		}
	}
}

// readmeFile takes a readme, if it exists.
func (p *project) readmeFile(name, contentType string) {
	text, ok := p.read(name)
	if !ok {
		return
	}
	if contentType == "" {
		contentType = readmeTypes[strings.ToLower(path.Ext(name))]
	}
	p.metadata.description, p.metadata.contentType = text, contentType
}

// readmeTypes are by file name extension (PEP 621).
var readmeTypes = map[string]string{".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain"}

// defaultLicenses are the names of licence files where license-files does not say (PEP 639).
var defaultLicenses = []string{"LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*"}

// licenses finds the files of the licence, sorted.
func (p *project) licenses() ([]File, error) {
	globs := p.metadata.licenseGlobs
	if globs == nil {
		globs = defaultLicenses
	}
	found := map[string]bool{}
	for _, glob := range globs {
		names, err := p.glob(glob)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "%s: license-files: pattern %q: %w", p.manifest.Filename, glob, err)
		}
		for _, name := range names {
			found[name] = true
		}
	}
	var files []File
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !p.isFile(name) {
			continue
		}
		data, err := fs.ReadFile(p.fsys, name)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "read license: %w", err)
		}
		files = append(files, File{name, data})
	}
	return files, nil
}

// glob gives the paths that a pattern matches; "**" is any directories.
func (p *project) glob(pattern string) ([]string, error) {
	pattern = path.Clean(pattern)
	first, _, deep := strings.Cut(pattern, "**")
	if !deep {
		return fs.Glob(p.fsys, pattern)
	}
	matcher, err := patternmatcher.New([]string{pattern})
	if err != nil {
		return nil, err
	}
	var found []string
	err = fs.WalkDir(p.fsys, path.Dir(first+"x"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || name != "." && strings.HasPrefix(d.Name(), ".") {
			return skip(d)
		}
		matches, err := matcher.MatchesOrParentMatches(name)
		if matches && !d.IsDir() {
			found = append(found, name)
		}
		return err
	})
	return found, err
}

// skip leaves out a directory, or a file that is nothing to walk.
func skip(d fs.DirEntry) error {
	if d == nil || d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// lineEnds turns every line end into the one of METADATA.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// format is METADATA (https://packaging.python.org/en/latest/specifications/core-metadata/).
func (m *metadata) format() []byte {
	var b strings.Builder
	field := func(name, value string) {
		if value = strings.TrimSpace(lineEnds.Replace(value)); value != "" {
			b.WriteString(name + ": " + strings.ReplaceAll(value, "\n", "\n        ") + "\n")
		}
	}
	list := func(name string, values []string) {
		for _, v := range values {
			field(name, v)
		}
	}
	field("Metadata-Version", "2.4")
	field("Name", m.name)
	field("Version", m.version)
	summary, _, _ := strings.Cut(strings.TrimSpace(m.summary), "\n")
	field("Summary", summary)
	list("Project-URL", m.urls)
	people(field, "Author", m.authors)
	people(field, "Maintainer", m.maintainers)
	field("License", m.licenseText)
	field("License-Expression", m.license)
	list("License-File", m.licenseFiles)
	field("Keywords", strings.Join(m.keywords, ","))
	list("Classifier", m.classifiers)
	field("Requires-Python", m.requiresPython)
	for _, r := range m.requires {
		field("Requires-Dist", r.String())
	}
	list("Provides-Extra", m.extras)
	if m.description != "" {
		field("Description-Content-Type", m.contentType)
		b.WriteString("\n" + m.description)
	}
	return []byte(b.String())
}

// people writes those who have an address into one field and those who have none into another (PEP 621).
func people(field func(name, value string), name string, list []person) {
	var names, addresses []string
	for _, p := range list {
		switch {
		case p.Email == "":
			names = append(names, p.Name)
		case p.Name == "":
			addresses = append(addresses, p.Email)
		default:
			addresses = append(addresses, fmt.Sprintf("%s <%s>", quoteName(p.Name), p.Email))
		}
	}
	field(name, strings.Join(names, ", "))
	field(name+"-email", strings.Join(addresses, ", "))
}

// quoteName quotes a name that has characters which mean something in an address (RFC 5322).
func quoteName(name string) string {
	if !strings.ContainsAny(name, `][\()<>@,:;".`) {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// normalize is the normal form of a name.
func normalize(name string) string { return pep508.NormalizeName(name) }

// specifiers is the normal form of a list of specifiers, empty for what is none.
func specifiers(text string) string {
	s, err := pep440.ParseSpecifiers(text)
	if err != nil {
		return ""
	}
	return s.String()
}
