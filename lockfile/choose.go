package lockfile

import (
	"errors"
	"fmt"
	"strings"

	"vpk/internal/fault"
	"vpk/wheel/tag"
)

// chooseWheels gives each node its best wheel (spec §2.6) and where it is. All nodes that have none are named at once.
func chooseWheels(nodes []*node, target tag.Target) ([]Selected, error) {
	tags := tag.NewTags(target)
	selected := make([]Selected, len(nodes))
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
		s := &selected[i]
		s.Package, s.Wheel = n.pkg, &n.pkg.Wheels[best]
		if err := s.locate(); err != nil {
			sources = append(sources, fmt.Sprintf("  %s: %v%s", n.pkg, err, n.because()))
		}
	}
	return selected, errors.Join(
		packageError(sources, "vpk installs wheels and builds nothing", "sources that can't be installed"),
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

// unsupported says what to do about a package that would have to be built; empty for one that has wheels.
func unsupported(p *Package) string {
	const build = "build a wheel of it (`uv build --wheel`) and depend on that"
	switch p.Source.Kind {
	case Git:
		return "its source is git: depend on a release with a wheel, or " + build
	case Registry, URL, Path:
		if len(p.Wheels) > 0 {
			return ""
		}
	default:
		if p.Source.IsRoot() {
			return "the project is a package (editable): set `package = false` in [tool.uv] and run `uv lock` to pack it as plain files"
		}
		return fmt.Sprintf("its source is a directory (%s %s): %s", p.Source.Kind, p.Source.Location, build)
	}
	switch {
	case p.Source.Kind == URL:
		return "its source is a source distribution at a URL: depend on a release with a wheel, or " + build
	case p.Source.Kind == Path:
		return fmt.Sprintf("its source is a source distribution (%s): %s", p.Source.Location, build)
	case p.Sdist == nil:
		return "the lock has no file of it"
	}
	return "it has only a source distribution: choose a version with wheels, or build one and publish it"
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
	switch {
	case direct == n:
		return fmt.Sprintf(" (required by %s)", direct.via.who())
	case direct == n.via:
		return fmt.Sprintf(" (required by %s)", direct.who())
	default:
		return fmt.Sprintf(" (required by %s, through %s)", n.via.who(), direct.who())
	}
}

// who names a node that requires another.
func (n *node) who() string {
	if n.root && n.pkg.Name == "." {
		return "the workspace"
	}
	return fmt.Sprintf("%q", n.pkg.Name)
}
