package pep440

import (
	_ "embed"
	"math/rand/v2"
	"slices"
	"testing"

	"vpk/internal/peer"
)

//go:embed testdata/oracle.py
var oracle string

// question and answer are what testdata/oracle.py reads and writes.
type (
	question struct {
		Versions []string
		Specs    []string
		Compare  [][2]int // indexes into Versions
		Contains [][2]int // a version, a specifier
	}
	answer struct {
		Versions []*string // the normalised text, or null
		Specs    []bool    // whether it is valid
		Compare  []int
		Contains []struct {
			Holds bool
			UV    bool // decided by uv's rule, and packaging says otherwise
		}
	}
)

// TestAgreesWithPackaging compares seeded random versions and specifiers, the
// hand-picked ones of the tables among them.
func TestAgreesWithPackaging(t *testing.T) {
	pairs := 4000
	if peer.InFull() {
		pairs = 60000
	}
	r := rand.New(rand.NewPCG(440, 26_3))
	q := question{Versions: slices.Clone(oddVersions), Specs: slices.Clone(oddSpecifiers)}
	for range pairs / 10 {
		q.Versions = append(q.Versions, randomVersion(r), mangle(r, randomVersion(r)))
		q.Specs = append(q.Specs, randomSpecifiers(r), mangle(r, randomSpecifiers(r)))
	}
	for i := range oddVersions {
		for j := range oddSpecifiers {
			if peer.InFull() || r.IntN(10) == 0 {
				q.Contains = append(q.Contains, [2]int{i, j})
			}
		}
	}
	for range pairs {
		q.Contains = append(q.Contains, [2]int{r.IntN(len(q.Versions)), r.IntN(len(q.Specs))})
		q.Compare = append(q.Compare, [2]int{r.IntN(len(q.Versions)), r.IntN(len(q.Versions))})
	}
	var a answer
	peer.AskPackaging(t, oracle, q, &a)

	versions := make([]Version, len(q.Versions))
	valid := 0
	for i, s := range q.Versions {
		v, err := Parse(s)
		switch want := a.Versions[i]; {
		case (err == nil) != (want != nil):
			t.Errorf("Parse(%q): %v; packaging accepts: %t", s, err, want != nil)
		case err == nil && v.String() != *want:
			t.Errorf("Parse(%q) = %q, packaging says %q", s, v, *want)
		case err == nil:
			valid++
		}
		versions[i] = v
	}
	specs := make([]Specifiers, len(q.Specs))
	for i, s := range q.Specs {
		var err error
		specs[i], err = ParseSpecifiers(s)
		if (err == nil) != a.Specs[i] {
			t.Errorf("ParseSpecifiers(%q): %v; packaging accepts: %t", s, err, a.Specs[i])
		}
	}
	compared := 0
	for k, ij := range q.Compare {
		i, j := ij[0], ij[1]
		if a.Versions[i] == nil || a.Versions[j] == nil {
			continue
		}
		compared++
		if got := versions[i].Compare(versions[j]); got != a.Compare[k] {
			t.Errorf("Compare(%q, %q) = %d, packaging says %d", q.Versions[i], q.Versions[j], got, a.Compare[k])
		}
	}
	checked, byUV := 0, 0
	for k, ij := range q.Contains {
		i, j := ij[0], ij[1]
		if a.Versions[i] == nil || !a.Specs[j] {
			continue
		}
		checked++
		if a.Contains[k].UV {
			byUV++
		}
		if got := specs[j].Contains(versions[i]); got != a.Contains[k].Holds {
			t.Errorf("%q contains %q: %t, the oracle says %t (uv's rule: %t)",
				q.Specs[j], q.Versions[i], got, a.Contains[k].Holds, a.Contains[k].UV)
		}
	}
	t.Logf("%d texts (%d versions), %d specifier sets, %d comparisons, %d pairs (%d decided by uv against packaging)",
		len(q.Versions), valid, len(q.Specs), compared, checked, byUV)
	if checked < pairs/2 || compared < pairs/4 {
		t.Errorf("only %d pairs and %d comparisons were valid", checked, compared)
	}
}
