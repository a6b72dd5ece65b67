package tag

import (
	"fmt"
	"slices"
)

// Tag is one compatibility tag of PEP 425.
type Tag struct{ Python, ABI, Platform string }

func (t Tag) String() string { return t.Python + "-" + t.ABI + "-" + t.Platform }

// Tags is the ordered list of the tags that a target can run. It is immutable and safe for concurrent use.
type Tags struct {
	list []Tag
	rank map[Tag]int
	// pythons are the Python tags that occur, abis the Python and ABI tags that occur together: they tell how close a
	// wheel came that does not fit.
	pythons map[string]bool
	abis    map[[2]string]bool
	// platforms are the platform tags that occur.
	platforms map[string]bool
}

// NewTags makes the list of a target, best tag first, in uv's order (crates/uv-platform-tags/src/tags.rs:148). P stands
// for each of Platforms in turn:
//
//	cp311-cp311-P, cp311-abi3-P, cp311-none-P, cp310-abi3-P … cp32-abi3-P,
//	py311-none-P, py3-none-P, py310-none-P … py30-none-P,
//	cp311-none-any, py311-none-any, py3-none-any, py310-none-any … py30-none-any
//
// Not done: free-threaded builds, pre-releases' own tags, PyPy.
func NewTags(target Target) *Tags {
	t := &Tags{
		rank: map[Tag]int{}, pythons: map[string]bool{}, abis: map[[2]string]bool{}, platforms: map[string]bool{},
	}
	cp := func(minor int) string { return fmt.Sprintf("cp%d%d", target.Python.Major, minor) }
	minor := target.Python.Minor
	platforms := target.Platforms()
	native := func(python, abi string) {
		for _, p := range platforms {
			t.add(Tag{python, abi, p})
		}
	}
	native(cp(minor), cp(minor))
	native(cp(minor), "abi3")
	native(cp(minor), "none")
	for m := minor - 1; m >= 2; m-- {
		native(cp(m), "abi3")
	}
	pure := target.pureTags()
	for _, py := range pure {
		native(py, "none")
	}
	t.add(Tag{cp(minor), "none", "any"})
	for _, py := range pure {
		t.add(Tag{py, "none", "any"})
	}
	return t
}

// pureTags are the implementation-independent Python tags: py311, py3, py310 … py30.
func (t Target) pureTags() []string {
	tags := []string{fmt.Sprintf("py%d%d", t.Python.Major, t.Python.Minor), fmt.Sprintf("py%d", t.Python.Major)}
	for m := t.Python.Minor - 1; m >= 0; m-- {
		tags = append(tags, fmt.Sprintf("py%d%d", t.Python.Major, m))
	}
	return tags
}

// Platforms are the platform tags that the target can run, best first: every manylinux_2_N from its glibc down to the
// oldest of the architecture (2.5 for x86_64, 2.17 for aarch64), with the three old names beside their versions, then
// linux_ARCH.
func (t Target) Platforms() []string {
	oldest := 17
	if t.Arch == X8664 {
		oldest = 5
	}
	aliases := map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
	var list []string
	if t.Glibc.Major == 2 {
		for m := t.Glibc.Minor; m >= oldest; m-- {
			list = append(list, fmt.Sprintf("manylinux_2_%d_%s", m, t.Arch))
			if alias, ok := aliases[m]; ok {
				list = append(list, fmt.Sprintf("%s_%s", alias, t.Arch))
			}
		}
	}
	return append(list, fmt.Sprintf("linux_%s", t.Arch))
}

func (t *Tags) add(tag Tag) {
	t.rank[tag] = len(t.list)
	t.list = append(t.list, tag)
	t.pythons[tag.Python] = true
	t.abis[[2]string{tag.Python, tag.ABI}] = true
	t.platforms[tag.Platform] = true
}

// List is the ordered list itself, best first.
func (t *Tags) List() []Tag { return slices.Clone(t.list) }

// Rank is the place of a wheel's best tag in the list, lower is better; false when the target cannot run the wheel.
func (t *Tags) Rank(f Filename) (int, bool) {
	best, ok := 0, false
	// Unknown tags are dropped before the product is formed, so that a hostile name cannot make it large.
	platforms := known(f.Platforms, func(p string) bool { return t.platforms[p] })
	for _, py := range known(f.Pythons, func(p string) bool { return t.pythons[p] }) {
		for _, abi := range known(f.ABIs, func(a string) bool { return t.abis[[2]string{py, a}] }) {
			for _, platform := range platforms {
				if rank, fits := t.rank[Tag{py, abi, platform}]; fits && (!ok || rank < best) {
					best, ok = rank, true
				}
			}
		}
	}
	return best, ok
}

// known keeps those tags that the target knows, each once.
func known(tags []string, is func(string) bool) []string {
	var kept []string
	for _, t := range tags {
		if is(t) && !slices.Contains(kept, t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// Best is the index of the wheel that uv would choose: lowest rank, then highest build tag, then first in order; -1
// when the target can run none.
func Best(tags *Tags, names []Filename) int {
	best, bestRank := -1, 0
	for i, f := range names {
		rank, ok := tags.Rank(f)
		if !ok {
			continue
		}
		if best < 0 || rank < bestRank || rank == bestRank && f.Build.Compare(names[best].Build) > 0 {
			best, bestRank = i, rank
		}
	}
	return best
}
