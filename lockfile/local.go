package lockfile

import "vpk/lockfile/pep508"

// Local is a project that is to be installed in place: its source is a directory, and it is a package. Its files are where
// Source.Location says, relative to the lock's directory or absolute, with slashes.
type Local struct {
	Package *Package
	// Rank and RequiredBy are as of Selected; ranks are shared with the packages.
	Rank       int
	RequiredBy []string
	// Route is the way to it from a root, for messages: "demo → lib"; the name alone for a root.
	Route string
}

// isInstalledInPlace tells a project that is a package from what has wheels. A directory for which the lock has wheels is neither
// to uv.
func (p *Package) isInstalledInPlace() bool {
	return (p.Source.Kind == Editable || p.Source.Kind == Directory) && len(p.Wheels) == 0
}

// String shows the requirement as PEP 508 has it. One with a source of its own has no specifiers: what is there is what was
// locked.
func (r Requirement) String() string {
	return pep508.Requirement{Name: r.Name, Extras: r.Extras, Specifiers: r.Specifiers, Marker: r.Marker}.String()
}
