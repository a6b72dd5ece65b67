package backend

import (
	"path"
	"regexp"
	"strings"
)

// versionByPattern reads the version from a file: what the group "version" of a Python expression matches, or its first group.
func (p *project) versionByPattern(name, pattern string) error {
	text, ok := p.read(name)
	if !ok {
		p.cannotVersion("there is no file %s to read the version from", name)
		return nil
	}
	expression, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		p.cannotVersion("the pattern for the version in %s is one that only Python understands", name)
		return nil
	}
	match := expression.FindStringSubmatch(text)
	group := max(expression.SubexpIndex("version"), 1)
	if match == nil || group >= len(match) {
		p.cannotVersion("%s has no version by its pattern", name)
		return nil
	}
	p.metadata.version = match[group]
	return nil
}

// versionByAttribute reads the version from a module's attribute, "package.module.NAME", as setuptools does where it needs no
// import: a literal that is assigned at the top of the module, a string or a tuple.
func (p *project) versionByAttribute(attribute string, roots []string) {
	module, name := "", attribute
	if i := strings.LastIndexByte(attribute, '.'); i >= 0 {
		module, name = attribute[:i], attribute[i+1:]
	}
	stem := strings.ReplaceAll(module, ".", "/")
	for _, root := range roots {
		for _, file := range []string{path.Join(root, stem) + ".py", path.Join(root, stem, "__init__.py")} {
			text, ok := p.read(file)
			if !ok {
				continue
			}
			if v, ok := literal(text, name); ok {
				p.metadata.version = v
				return
			}
			p.cannotVersion("%s of %s is no literal", name, file)
			return
		}
	}
	p.cannotVersion("there is no module for the version %s", attribute)
}
