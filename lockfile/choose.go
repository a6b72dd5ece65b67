package lockfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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
			sources = append(sources, fmt.Sprintf("  %s: %s%s", n.pkg.describe(), why, n.because()))
			continue
		}
		names := make([]tag.Filename, len(n.pkg.Wheels))
		for j := range names {
			names[j] = n.pkg.Wheels[j].Filename
		}
		best := tag.Best(tags, names)
		if best < 0 {
			misses = append(misses, fmt.Sprintf("  %s: %s%s", n.pkg.describe(), mismatch(tags.Mismatch(names...), target), n.because()))
			continue
		}
		s := &selected[i]
		s.Package, s.Wheel = n.pkg, &n.pkg.Wheels[best]
		err := s.locate()
		if err == nil && s.Wheel.Filename.NormalizedName() != n.pkg.Name {
			err = fmt.Errorf("its wheel %q is another package's", s.Wheel.Filename)
		}
		if err != nil {
			sources = append(sources, fmt.Sprintf("  %s: %v%s", n.pkg.describe(), err, n.because()))
		}
	}
	return selected, errors.Join(
		packageError(sources, "vpk installs wheels and builds nothing", "sources that can't be installed"),
		packageError(misses, fmt.Sprintf("choose another base image, or versions with such wheels: "+
			"with \"sys_platform == 'linux' and platform_machine == '%s'\" in tool.uv.required-environments, `uv lock` looks for them", target.Arch),
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
	case Directory, Editable:
		return "it is a directory, for which the lock has wheels: run `uv lock`"
	case Git:
		return "depend on a release with a wheel, or " + build
	case Registry, URL, Path:
		if len(p.Wheels) > 0 {
			return ""
		}
	}
	switch {
	case p.Source.Kind == URL:
		return "it is a source distribution: depend on a release with a wheel, or " + build
	case p.Source.Kind == Path:
		return "it is a source distribution: " + build
	case p.Sdist == nil:
		return "the lock has no file of it"
	}
	return fmt.Sprintf("it has only a source distribution%s: choose a version with wheels, or build one and publish it", p.Sdist.shown())
}

// shown is the file's name for a message, where it is known.
func (s *Sdist) shown() string {
	name, err := urlFilename(cmp.Or(s.URL, s.Path))
	if err != nil || name == "" {
		return ""
	}
	return " (" + name + ")"
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

// because tells through which dependencies a node was reached.
func (n *node) because() string {
	if n.via == nil {
		return ""
	}
	return " (" + n.route() + ")"
}

// route is the way to a node from the root that it was first reached from: "demo → fastapi → starlette". What a
// dependency belongs to is told as in requirements: "demo[extra]", "demo:group".
func (n *node) route() string {
	steps := []string{n.pkg.Name}
	for ; n.via != nil; n = n.via {
		steps = append(steps, ConflictItem{Package: n.via.who(), Extra: n.by.extra, Group: n.by.group}.String())
	}
	slices.Reverse(steps)
	return strings.Join(steps, " → ")
}

// who names a node that requires another.
func (n *node) who() string {
	if n.root && n.pkg.Name == "." {
		return "workspace"
	}
	return n.pkg.Name
}
