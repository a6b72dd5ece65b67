package lockfile

import (
	"errors"
	"fmt"
	"strings"

	"vpk/internal/fault"
	"vpk/wheel/tag"
)

// chooseWheels gives each node its best wheel (spec §2.6). All nodes that have none are named at once.
func (g *graph) chooseWheels(nodes []*node, target tag.Target) ([]*Wheel, error) {
	tags := tag.NewTags(target)
	wheels := make([]*Wheel, len(nodes))
	var sources, misses []string
	for i, n := range nodes {
		if why := unsupported(n.pkg); why != "" {
			sources = append(sources, fmt.Sprintf("  %s: %s%s", n.pkg, why, n.because()))
			continue
		}
		names := make([]tag.Filename, len(n.pkg.Wheels))
		for j := range names {
			names[j] = n.pkg.Wheels[j].Filename
		}
		best := tag.Best(tags, names)
		if best < 0 {
			misses = append(misses, fmt.Sprintf("  %s: %s%s", n.pkg, mismatch(tags.Mismatch(names...), target), n.because()))
			continue
		}
		wheels[i] = &n.pkg.Wheels[best]
		if !isRemote(wheels[i].URL) {
			sources = append(sources, fmt.Sprintf("  %s: it is in an index on this machine: use one that answers over HTTP%s",
				n.pkg, n.because()))
		}
	}
	return wheels, errors.Join(
		packageError(sources, "only wheels from an index can be put in an image", "sources that can't be installed"),
		packageError(misses, "have these packages build and publish such wheels, choose other versions or another base image",
			fmt.Sprintf("no wheel for %s", target)),
	)
}

func packageError(lines []string, hint, title string) error {
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Package, hint, "%s:\n%s", title, strings.Join(lines, "\n"))
}

// unsupported says what to do about a package that is no wheel from an index; empty for one that may be.
func unsupported(p *Package) string {
	switch p.Source.Kind {
	case Registry:
		if len(p.Wheels) > 0 {
			return ""
		}
		if p.Sdist == nil {
			return "the lock has no file of it"
		}
		return "it has only a source distribution: choose a version with wheels, or build one and publish it"
	case Git:
		return "its source is git: depend on a release with a wheel"
	case URL:
		return "its source is a URL: depend on it through an index"
	case Path:
		return "its source is a file (" + p.Source.Location + "): depend on it through an index"
	}
	if p.Source.IsRoot() {
		return "the project is a package (editable): set `package = false` in [tool.uv] and run `uv lock` to pack it as plain files"
	}
	return fmt.Sprintf("its source is a directory (%s %s): build a wheel of it and depend on that through an index",
		p.Source.Kind, p.Source.Location)
}

// mismatch says how close the wheels came.
func mismatch(m tag.Mismatch, target tag.Target) string {
	has := strings.Join(m.Tags, ", ")
	cp := fmt.Sprintf("cp%d%d", target.Python.Major, target.Python.Minor)
	switch m.Reason {
	case tag.PythonTag:
		return fmt.Sprintf("wants Python tag %s, its wheels have %s", cp, has)
	case tag.ABITag:
		return fmt.Sprintf("wants ABI tag %s, abi3 or none, its wheels have %s", cp, has)
	default:
		return fmt.Sprintf("wants platform %s or an older manylinux, its wheels have %s", target.Platform(), has)
	}
}

// because tells through which of the root's dependencies a node was reached.
func (n *node) because() string {
	if n.via == nil {
		return ""
	}
	direct := n
	for direct.via.via != nil {
		direct = direct.via
	}
	switch root := direct.via.pkg.Name; {
	case direct == n:
		return fmt.Sprintf(" (required by %q)", root)
	case direct == n.via:
		return fmt.Sprintf(" (required by %q)", direct.pkg.Name)
	default:
		return fmt.Sprintf(" (required by %q, through %q)", n.via.pkg.Name, direct.pkg.Name)
	}
}
