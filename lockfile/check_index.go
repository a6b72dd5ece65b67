package lockfile

import (
	"cmp"
	pathpkg "path"
)

// allowedIndexes are the indexes that packages may be locked from, if any index is configured.
type allowedIndexes struct {
	*checker
	any     bool // nothing is configured
	lenient bool // the default index is in use and not known
	known   map[string]bool
	missing map[string]bool // those that were told
}

func (c *checker) indexes() *allowedIndexes {
	s := c.workspace.settings
	a := &allowedIndexes{checker: c, known: map[string]bool{}, missing: map[string]bool{}}
	indexes := s.Indexes()
	a.any = len(indexes) == 0 && len(s.FindLinks) == 0 && !s.NoIndex.On
	for _, location := range s.FindLinks {
		a.known[c.needs.index(location, c.workspace.dir)] = true
	}
	if s.NoIndex.On {
		return a
	}
	hasDefault := false
	names := map[string]bool{}
	for _, i := range indexes {
		if i.Name != "" && names[i.Name] || i.Default && hasDefault {
			continue
		}
		names[i.Name], hasDefault = true, hasDefault || i.Default
		a.known[c.needs.index(i.URL, c.workspace.dir)] = true
	}
	if !hasDefault {
		a.lenient = c.DefaultIndex == ""
		a.known[c.needs.index(cmp.Or(c.DefaultIndex, "/"), c.workspace.dir)] = true
	}
	return a
}

// add allows the index that a requirement names.
func (a *allowedIndexes) add(r Requirement) {
	if r.Source.Kind == Registry && r.Source.Location != "" {
		a.known[a.needs.index(r.Source.Location, a.workspace.dir)] = true
	}
}

// want tells an index that is not allowed, once.
func (a *allowedIndexes) want(p *Package) {
	location := a.needs.index(p.Source.Location, a.workspace.dir)
	if a.any || a.known[location] || a.missing[location] || a.lenient && !pathpkg.IsAbs(location) {
		return
	}
	a.missing[location] = true
	a.fail("uv.lock has %s from index %s, which neither %s nor the user's configuration names", p, withoutSecrets(p.Source.Location), a.settingsFile())
}
