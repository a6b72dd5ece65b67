package pack

import (
	"fmt"
	"path/filepath"
	"strings"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/lockfile"
	"vpk/wheel"
)

// path is a path of the lock, which is relative to the lock's directory or absolute.
func (p *Project) path(location string) string {
	location = filepath.FromSlash(location)
	if filepath.IsAbs(location) {
		return filepath.Clean(location)
	}
	return filepath.Join(p.Dir, location)
}

// refs say where the selected wheels are, in the selection's order.
func (p *Project) refs(selection *lockfile.Selection) []wheel.Ref {
	refs := make([]wheel.Ref, len(selection.Packages))
	for i, s := range selection.Packages {
		refs[i] = wheel.Ref{Filename: s.Wheel.Filename, URL: s.URL, Hash: wheel.Hash(s.Wheel.Hash), Size: max(0, s.Wheel.Size)}
		if s.Path != "" {
			refs[i].Path = p.path(s.Path)
		}
	}
	return refs
}

// requireHashes refuses, if the user asked for it, local wheels for which the lock has no hash.
func (s Selection) requireHashes(selection *lockfile.Selection) error {
	if !s.RequireHashes {
		return nil
	}
	var lines []string
	for _, p := range selection.Packages {
		if p.Wheel.Hash.IsZero() {
			lines = append(lines, fmt.Sprintf("  %s: %s", p.Package, p.Wheel.Filename))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Integrity, "lock from an index that gives hashes, or leave out --require-hashes",
		"the lock has no hash for these wheels:\n%s", strings.Join(lines, "\n"))
}

// noteInputs names the wheels of this machine that the lock has no hash for: what they hold, only the report tells.
func (w *wheels) noteInputs(reporter progress.Reporter, selection *lockfile.Selection) {
	for i, p := range selection.Packages {
		if p.Wheel.Hash.IsZero() {
			reporter.Note("%s is taken from %s as it is, the lock has no hash for it: sha256:%s", p.Package, p.Path, w.archives[i].SHA256)
		}
	}
}

// report adds to the packages of a selection what is known once their wheels are here.
func (w *wheels) report(selection *lockfile.Selection) []Package {
	list := packages(selection)
	for i, archive := range w.archives {
		list[i].Cached, list[i].Size = archive.Cached, archive.Size
		if len(list[i].Hashes) == 0 {
			list[i].Hashes, list[i].Unlocked = []string{"sha256:" + archive.SHA256}, true
		}
	}
	return list
}
