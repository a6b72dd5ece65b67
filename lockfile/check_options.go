package lockfile

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// options compares what the resolver is told.
func (c *checker) options() {
	s, o := c.workspace.settings, c.lock.Options
	c.option("resolution", s.Resolution, o.ResolutionMode, "highest")
	c.option("fork-strategy", s.ForkStrategy, o.ForkStrategy, "requires-python")
	wanted := o.ExcludeNewer
	if o.ExcludeNewerSpan != "" {
		wanted = o.ExcludeNewerSpan
	}
	if !sameMoment(s.ExcludeNewer, wanted) {
		c.fail("%s, uv.lock was made for %s", says("exclude-newer", s.ExcludeNewer, c.settingsFile()), orNone(wanted))
	}
	names := slices.Concat(slices.Collect(maps.Keys(s.ExcludeNewerPackage)), slices.Collect(maps.Keys(o.ExcludeNewerPackage)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if a, b := s.ExcludeNewerPackage[name], o.ExcludeNewerPackage[name]; !sameMoment(a, b) {
			c.fail("%s, uv.lock was made for %s", says("exclude-newer-package for "+name, a, c.settingsFile()), orNone(b))
		}
	}
}

func (c *checker) option(key, wanted, locked, otherwise string) {
	if a, b := cmp.Or(wanted, otherwise), cmp.Or(locked, otherwise); a != b {
		c.fail("%s wants %s = %q, uv.lock was made for %q", c.settingsFile(), key, a, b)
	}
}

func says(key, value, file string) string {
	if value == "" {
		return fmt.Sprintf("%s has no %s", file, key)
	}
	return fmt.Sprintf("%s wants %s = %q", file, key, value)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", s)
}

// sameMoment compares an exclude-newer with the lock's. A date is the midnight that ends it in some time zone: the lock
// does not say in which. A span is the same if it has the same units.
func sameMoment(wanted, locked string) bool {
	if wanted == locked {
		return true
	}
	if wanted == "" || locked == "" {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, locked)
	if err != nil {
		a, okA := span(wanted)
		b, okB := span(locked)
		return okA && okB && a == b
	}
	if w, err := time.Parse(time.RFC3339Nano, wanted); err == nil {
		return w.Equal(t)
	}
	day, err := time.Parse(time.DateOnly, wanted)
	if err != nil {
		return false
	}
	const farthest, step = 14 * time.Hour, 15 * time.Minute
	offset := t.Sub(day.AddDate(0, 0, 1))
	return offset.Abs() <= farthest && offset%step == 0
}

var spanPart = regexp.MustCompile(`^(\d+)\s*([a-z]+)[\s,]*`)

// span reads a duration, "P7D" or "7 days", as a number for each unit.
func span(s string) (units [6]string, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimSuffix(strings.TrimPrefix(s, "-"), " ago")
	rest, iso := strings.CutPrefix(s, "p")
	date, clock, _ := strings.Cut(rest, "t")
	names := []string{"y", "mo", "w", "d", "h", "m", "s"}
	read := func(text string, inDate bool) bool {
		for text != "" {
			part := spanPart.FindStringSubmatch(text)
			if part == nil {
				return false
			}
			text = text[len(part[0]):]
			unit := part[2]
			if iso && len(unit) > 1 {
				return false
			}
			if inDate && unit == "m" || strings.HasPrefix(unit, "mo") {
				unit = "mo"
			}
			i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(unit, n) })
			if i < 0 || i == 0 {
				return false // a year has no fixed length: uv refuses it, as a month
			}
			units[i-1] = strings.TrimLeft(part[1], "0")
		}
		return true
	}
	if iso {
		return units, rest != "" && read(date, true) && read(clock, false)
	}
	return units, s != "" && read(s, false)
}

// markers wants the forks of the lock to cover the environments that it was made for, and some of the Python versions
// that are wanted now (mod.rs:1009).
func (c *checker) markers(lower, upper pep440.Bound) {
	python := c.needs.Python(c.needs.lower, c.needs.upper)
	all := func(markers []pep508.Marker) pep508.Condition {
		if len(markers) == 0 {
			return python
		}
		any := pep508.False
		for _, m := range markers {
			// Forks of conflicts differ in extras only.
			any = c.needs.Or(any, c.needs.And(c.needs.WithoutExtras(c.needs.Of(m)), python))
		}
		return any
	}
	forks := all(c.lock.ResolutionMarkers)
	if !c.needs.Implies(all(c.lock.SupportedMarkers), forks) {
		c.fail("the resolution-markers of uv.lock do not cover all environments that it is for")
	}
	if c.needs.Disjoint(forks, c.needs.Python(lower, upper)) {
		c.fail("uv.lock was made for no version of Python that %s wants", c.workspace.root.Filename)
	}
}

// environments compares lists of markers in their order.
func (c *checker) environments(key string, wanted, locked []pep508.Marker) {
	conditions := func(markers []pep508.Marker) []pep508.Condition {
		list := make([]pep508.Condition, len(markers))
		for i, m := range markers {
			list[i] = c.needs.Simplify(c.needs.Of(m), c.needs.lower, c.needs.upper)
		}
		return list
	}
	if !slices.Equal(conditions(wanted), conditions(locked)) {
		c.fail("%s wants %s %s, uv.lock was made for %s", c.workspace.root.Filename, key, markerTexts(wanted), markerTexts(locked))
	}
}

func markerTexts(markers []pep508.Marker) string {
	texts := make([]string, len(markers))
	for i, m := range markers {
		texts[i] = fmt.Sprintf("%q", m)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// conflictSet is a set of conflicting items: sorted, each once.
func conflictSet(items []ConflictItem) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
	}
	slices.Sort(texts)
	return "{" + strings.Join(slices.Compact(texts), ", ") + "}"
}

// conflicts compares the declared conflicts, in their order; then, in any order, those that follow from the groups that
// the root's groups include (crates/uv-pypi-types/src/conflicts.rs:84).
func (c *checker) conflicts() {
	var declared [][]ConflictItem
	add := func(p *pyproject.Project) {
		for _, set := range p.UV.Conflicts {
			items := make([]ConflictItem, len(set))
			for i, item := range set {
				items[i] = ConflictItem{Package: cmp.Or(item.Package, p.Name), Extra: item.Extra, Group: item.Group}
			}
			declared = append(declared, items)
		}
	}
	if !c.workspace.rootIsMember() {
		add(c.workspace.root)
	}
	for _, m := range c.workspace.members {
		add(m.project)
	}
	texts := func(sets [][]ConflictItem) []string {
		list := make([]string, len(sets))
		for i, set := range sets {
			list[i] = conflictSet(set)
		}
		return list
	}
	wanted, locked := texts(declared), texts(c.lock.Conflicts)
	implied := texts(c.impliedConflicts(declared))
	implied = slices.DeleteFunc(implied, func(s string) bool { return slices.Contains(wanted, s) })
	slices.Sort(implied)
	implied = slices.Compact(implied)
	if n := len(wanted); len(locked) >= n {
		rest := slices.Sorted(slices.Values(locked[n:]))
		if slices.Equal(wanted, locked[:n]) && slices.Equal(implied, rest) {
			return
		}
	}
	c.fail("%s declares the conflicts [%s], uv.lock was made for [%s]", c.workspace.root.Filename,
		strings.Join(slices.Concat(wanted, implied), ", "), strings.Join(locked, ", "))
}

// impliedConflicts gives the sets in which a group is replaced by one that includes it.
func (c *checker) impliedConflicts(sets [][]ConflictItem) [][]ConflictItem {
	root := c.workspace.root
	if root.Name == "" {
		return nil
	}
	var canonical []ConflictItem
	seen := map[string]bool{}
	for _, set := range sets {
		for _, item := range set {
			if item.Group != "" && !seen[item.Group] {
				seen[item.Group] = true
				canonical = append(canonical, item)
			}
		}
	}
	all := slices.Clone(sets)
	has := map[string]bool{}
	for _, set := range all {
		has[conflictSet(set)] = true
	}
	for _, item := range canonical {
		for _, group := range slices.Sorted(maps.Keys(root.DependencyGroups)) {
			if group == item.Group || !includesGroup(root, group, item.Group) {
				continue
			}
			includer := ConflictItem{Package: root.Name, Group: group}
			if i := slices.IndexFunc(canonical, func(o ConflictItem) bool { return o.Group == group }); i >= 0 {
				includer = canonical[i]
			}
			for _, set := range slices.Clone(all) {
				if !slices.Contains(set, item) {
					continue
				}
				replaced := slices.Clone(set)
				replaced[slices.Index(replaced, item)] = includer
				if key := conflictSet(replaced); !has[key] {
					has[key] = true
					all = append(all, replaced)
				}
			}
		}
	}
	return all[len(sets):]
}

// includesGroup tells whether a group includes another, through others or not.
func includesGroup(p *pyproject.Project, group, included string) bool {
	queue := slices.Clone(p.GroupIncludes[group])
	seen := map[string]bool{}
	for i := 0; i < len(queue); i++ {
		if queue[i] == included {
			return true
		}
		if !seen[queue[i]] {
			seen[queue[i]] = true
			queue = append(queue, p.GroupIncludes[queue[i]]...)
		}
	}
	return false
}

// wantedPython gives the range of Python that all members want; given is false where none says.
func (w *workspace) wantedPython() (all pep440.Specifiers, given bool) {
	for _, m := range w.members {
		if m.project.RequiresPython != nil {
			all, given = append(all, m.project.RequiresPython...), true
		}
	}
	return all, given
}

// python compares the ranges of requires-python, as uv does without the holes in them. Where no project has one, uv
// takes the minor version of the interpreter at hand, and any will do.
func (c *checker) python(wanted pep440.Specifiers, given bool, lower, upper pep440.Bound) {
	if !given {
		if release := c.needs.lower.Version.Release(); len(release) != 2 || !c.needs.lower.Inclusive || !c.needs.upper.Version.IsZero() {
			c.fail("no project has requires-python, uv.lock was made for %q", c.lock.RequiresPython)
		}
		return
	}
	if !sameBound(lower, c.needs.lower) || !sameBound(upper, c.needs.upper) {
		c.fail("%s wants requires-python = %q, uv.lock was made for %q", c.workspace.root.Filename, wanted, c.lock.RequiresPython)
	}
}

func sameBound(a, b pep440.Bound) bool {
	if a.Version.IsZero() || b.Version.IsZero() {
		return a.Version.IsZero() == b.Version.IsZero()
	}
	return a.Inclusive == b.Inclusive && a.Version.Equal(b.Version)
}
