package layer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"vpk/internal/fault"
	"vpk/venv/tree"
)

// MaxOwnLayers is how many layers vpk itself adds to an image at the most.
const MaxOwnLayers = 60

const (
	// largeFrom is the size from which a unit has a layer of its own: what is worth sharing between images by itself.
	largeFrom = 2 << 20
	// bucketSize is how much small units that share a layer have in sum before they are divided.
	bucketSize = 8 << 20
	// maxDivisions is how often small units are divided in two: there are at most eight buckets.
	maxDivisions = 3
)

// Unit is what is never divided: the parts of one package.
type Unit struct {
	// Name and Size decide, and nothing else, where the unit goes. Size is that of what it was made from, a wheel, so that it does
	// not depend on how that is laid out.
	Name string
	Size int64
	// Title is the unit for people: "numpy 2.4.6".
	Title string
	Parts []tree.Part
}

// Bundle is what shares a layer.
type Bundle struct {
	Name  string // for people
	Units []Unit
}

// Mode is how units are assigned to layers.
type Mode string

// The modes.
const (
	Auto       Mode = "auto"        // large ones by themselves, small ones together
	Single     Mode = "single"      // all in one
	PerPackage Mode = "per-package" // each by itself
)

// Assignment says which units share a layer.
type Assignment struct {
	Mode Mode // empty is Auto
	// Groups share a layer whatever the mode says of the others. A unit is in the first that matches.
	Groups []Group
	// Limit is how many layers there may be, at least one.
	Limit int
}

// Group are the units whose names match.
type Group struct {
	Name  string
	Match func(name string) bool
}

// Assign divides units into bundles: large ones in their order, groups, what is left of large ones, small ones. Within a
// bundle, units keep their order; which bundle a unit is in does not depend on it.
//
// It is made so that an edit of the units changes few bundles. A large unit has a bundle of its own. When there are more of those than
// the limit leaves room for, the last ones in the order of their names' hashes share one. Small units share a bundle as long as
// they have less than 8 MiB in sum; beyond that they are divided in two by the first bit of their names' hashes, and each half
// again, at most three times, each time with 2 MiB more allowed, so that one unit more never divides a bundle twice.
// Whatever unit is added, removed or replaced, its own bundle changes, and one more if that crosses one of these bounds; a
// unit that becomes large, or small, changes the one that it leaves and the one that it joins.
func (a Assignment) Assign(units []Unit) ([]Bundle, error) {
	groups := make([]Bundle, len(a.Groups))
	var rest []Unit
	for _, u := range units {
		at := slices.IndexFunc(a.Groups, func(g Group) bool { return g.Match(u.Name) })
		if at < 0 {
			rest = append(rest, u)
			continue
		}
		groups[at].Name = a.Groups[at].Name
		groups[at].Units = append(groups[at].Units, u)
	}
	groups = slices.DeleteFunc(groups, func(b Bundle) bool { return len(b.Units) == 0 })
	if len(groups) >= a.Limit {
		return nil, fault.New(fault.Usage, "let groups share a layer, or choose a base image with fewer layers",
			"%d groups of packages are more than the %d layers that there may be", len(groups), a.Limit-1)
	}
	// A group without members keeps its place, lest its first one takes a layer from the others.
	limit := max(1, a.Limit-len(a.Groups))
	switch a.Mode {
	case Single:
		if len(rest) > 0 {
			groups = append(groups, Bundle{smallName, rest})
		}
		return groups, nil
	case PerPackage:
		own, shared := alone(rest, limit)
		return slices.Concat(own, groups, shared), nil
	}
	divisions := 0
	for divisions < maxDivisions && 4<<(divisions+1) <= limit {
		divisions++
	}
	room := limit - 1<<divisions
	isLarge := func(u Unit) bool { return u.Size >= largeFrom && room > 0 }
	var large, small []Unit
	for _, u := range rest {
		if isLarge(u) {
			large = append(large, u)
		} else {
			small = append(small, u)
		}
	}
	own, shared := alone(large, room)
	return slices.Concat(own, groups, shared, divide(small, smallName, 0, divisions)), nil
}

// IsAlone reports whether a unit will have a bundle of its own, unless there are too many: that can be told before the others are known.
func (a Assignment) IsAlone(u Unit) bool {
	if slices.ContainsFunc(a.Groups, func(g Group) bool { return g.Match(u.Name) }) {
		return false
	}
	return a.Mode == PerPackage || a.Mode != Single && u.Size >= largeFrom
}

const smallName = "dependencies"

// alone gives each unit a bundle of its own, as long as there is room; then the last ones in the order of hashes share one.
func alone(units []Unit, room int) (own, shared []Bundle) {
	ranked := slices.Clone(units)
	slices.SortFunc(ranked, func(a, b Unit) int { return cmp.Or(cmp.Compare(a.hash(), b.hash()), cmp.Compare(a.Name, b.Name)) })
	sharing := map[string]bool{}
	if len(units) > room {
		for _, u := range ranked[room-1:] {
			sharing[u.Name] = true
		}
	}
	together := Bundle{Name: "more " + smallName}
	for _, u := range units {
		if sharing[u.Name] {
			together.Units = append(together.Units, u)
		} else {
			own = append(own, Bundle{u.Title, []Unit{u}})
		}
	}
	if len(together.Units) > 0 {
		shared = []Bundle{together}
	}
	return own, shared
}

// divide divides small units in two while they are too many, after so many divisions already.
func divide(units []Unit, name string, done, most int) []Bundle {
	sum := int64(0)
	for _, u := range units {
		sum += u.Size
	}
	if len(units) == 0 {
		return nil
	}
	if done == most || sum <= bucketSize+int64(done)*largeFrom {
		return []Bundle{{name, units}}
	}
	var halves [2][]Unit
	for _, u := range units {
		bit := u.hash() >> (63 - done) & 1
		halves[bit] = append(halves[bit], u)
	}
	var bundles []Bundle
	for bit, half := range halves {
		separator := ""
		if done == 0 {
			separator = " "
		}
		bundles = append(bundles, divide(half, fmt.Sprintf("%s%s%d", name, separator, bit), done+1, most)...)
	}
	return bundles
}

// hash orders and divides units by nothing that they have in common.
func (u Unit) hash() uint64 {
	sum := sha256.Sum256([]byte(u.Name))
	return binary.BigEndian.Uint64(sum[:])
}
