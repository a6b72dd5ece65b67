package pack

import (
	"fmt"
	"slices"
	"strings"

	"vpk/internal/progress"
	"vpk/internal/spelling"
	"vpk/lockfile/pep508"
)

// PlanReport is what `vpk plan` shows.
type PlanReport struct {
	Target   string    `json:"target"`
	Packages []Package `json:"packages"`
	// Size is the sum of the sizes of the wheels that are known, in bytes; Cached is how many wheels are in the cache.
	Size   int64 `json:"size"`
	Cached int   `json:"cached"`
	// Warnings are sorted by kind.
	Warnings []Warning `json:"warnings"`
}

// Warning is something that a pack of this plan will suffer from.
type Warning struct {
	Kind WarningKind `json:"kind"`
	// Packages that it is about, sorted; none where it is about something else.
	Packages []string `json:"packages,omitempty"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint"` // what to do
}

// WarningKind tells warnings apart; it never changes its meaning.
type WarningKind string

// The kinds of warnings.
const (
	UnpinnedBase WarningKind = "base-not-pinned" // the same plan may stand on another base tomorrow
	Collisions   WarningKind = "collision"       // two packages claim a path; known when all wheels are in the cache
	LargeWheel   WarningKind = "large"           // of more than largeWheel
	Misspelt     WarningKind = "not-in-lock"     // a package that is to be left out is not there to begin with
	NoHash       WarningKind = "no-hash"         // the lock cannot tell whether a wheel is the right one
	WeakHash     WarningKind = "weak-hash"       // MD5: two files with one hash can be made
)

// largeWheel is the size in bytes above which a wheel is warned of: what an index of Python's takes at most unless it grants
// an exception, so that only files which their own authors had to ask for are above.
const largeWheel = 100 << 20

// Plan reports what would be packed.
func (c *Choice) Plan() (*PlanReport, error) {
	locals, err := c.project.locals(c.selection)
	if err != nil {
		return nil, err
	}
	report := &PlanReport{Target: c.target.String(), Packages: reports(c.packages(), locals)}
	for _, p := range report.Packages {
		report.Size += p.Size
		if p.Cached {
			report.Cached++
		}
	}
	collisions, err := c.collisionWarnings(locals)
	if err != nil {
		return nil, err
	}
	report.Warnings = slices.Concat(c.base, collisions, largeWarning(report.Packages), c.hashWarnings(), c.absent)
	if report.Warnings == nil {
		report.Warnings = []Warning{}
	}
	return report, nil
}

// absentWarnings are about packages to leave out that the lock does not have: as in uv that is no error, but most likely
// misspelt.
func (p *Project) absentWarnings(s Selection) []Warning {
	var warnings []Warning
	for _, name := range s.NoInstall {
		if normal := pep508.NormalizeName(name); len(p.Lock.Named(normal)) == 0 {
			hint := "`vpk plan` shows what there is"
			if near := spelling.Nearest(normal, p.Lock.Names()); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			warnings = append(warnings, Warning{
				Kind: Misspelt, Packages: []string{normal}, Hint: hint,
				Message: fmt.Sprintf("package %q is to be left out, and %s has none of that name", name, p.Lock.Filename),
			})
		}
	}
	return warnings
}

// collisionWarnings has one warning for each pair of packages.
func (c *Choice) collisionWarnings(locals []local) ([]Warning, error) {
	collisions, err := c.collisions(locals)
	if err != nil {
		return nil, err
	}
	type pair struct{ owner, loser string }
	paths := map[pair][]string{}
	var pairs []pair
	for _, x := range collisions {
		p := pair{x.Owner, x.Loser}
		if paths[p] == nil {
			pairs = append(pairs, p)
		}
		paths[p] = append(paths[p], x.Path)
	}
	outcome := func(owner string) string { return "the image has those of " + owner }
	if c.project.Config.Collisions == "error" {
		outcome = func(string) string { return "vpk pack refuses it" }
	}
	var warnings []Warning
	for _, p := range pairs {
		names := []string{packageName(p.owner), packageName(p.loser)}
		slices.Sort(names)
		shown := paths[p][0]
		if more := len(paths[p]) - 1; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		warnings = append(warnings, Warning{
			Kind: Collisions, Packages: names,
			Message: fmt.Sprintf("%s and %s bring different files for %s: %s", p.owner, p.loser, shown, outcome(p.owner)),
			Hint:    "leave one of the two out, perhaps with --no-install-package",
		})
	}
	return warnings, nil
}

// packageName is the name in "NAME VERSION".
func packageName(s string) string {
	name, _, _ := strings.Cut(s, " ")
	return name
}

func largeWarning(packages []Package) []Warning {
	var large []Package
	for _, p := range packages {
		if p.Size > largeWheel {
			large = append(large, p)
		}
	}
	return warning(LargeWheel, large, func(p Package) string { return fmt.Sprintf("%s %s (%s)", p.Name, p.Version, progress.Bytes(p.Size)) },
		"large wheels: %s", "look for a smaller build, such as one for CPUs only; `vpk tree --invert --package NAME` tells who wants it")
}

// hashWarnings are about wheels that the lock has no hash for, or a weak one.
func (c *Choice) hashWarnings() []Warning {
	var local, remote, weak []Package
	for i, p := range packages(c.selection) {
		switch h := c.selection.Packages[i].Wheel.Hash; {
		case h.Algorithm == "md5":
			weak = append(weak, p)
		case !h.IsZero():
		case p.Path != "":
			local = append(local, p)
		default:
			remote = append(remote, p)
		}
	}
	named := func(p Package) string { return p.Name + " " + p.Version }
	return slices.Concat(
		warning(NoHash, local, named, "the lock has no hash of these files, which are taken as they are: %s", "--require-hashes refuses them"),
		warning(NoHash, remote, named, "the lock has no hash of these wheels, and they will be refused: %s", "lock again with an index that gives hashes"),
		warning(WeakHash, weak, named, "the lock has only an MD5 hash of these wheels: %s", "lock again with an index that gives SHA-256 hashes"),
	)
}

// warning is one about packages, none where there are none.
func warning(kind WarningKind, packages []Package, show func(Package) string, format, hint string) []Warning {
	if len(packages) == 0 {
		return nil
	}
	names, shown := make([]string, len(packages)), make([]string, len(packages))
	for i, p := range packages {
		names[i], shown[i] = p.Name, show(p)
	}
	return []Warning{{Kind: kind, Packages: names, Message: fmt.Sprintf(format, strings.Join(shown, ", ")), Hint: hint}}
}
