package layer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpk/internal/fault"
	"vpk/layer"
)

const mib = 1 << 20

// units makes units of "NAME SIZE" with sizes in MiB.
func units(specs ...string) []layer.Unit {
	var all []layer.Unit
	for _, s := range specs {
		var u layer.Unit
		var size float64
		if _, err := fmt.Sscan(s, &u.Name, &size); err != nil {
			panic(err)
		}
		u.Size, u.Title = int64(size*mib), u.Name+" 1.0"
		all = append(all, u)
	}
	return all
}

// show is a line a bundle.
func show(bundles []layer.Bundle) []string {
	lines := []string{}
	for _, b := range bundles {
		line := b.Name + ":"
		for _, u := range b.Units {
			line += " " + u.Name
		}
		lines = append(lines, line)
	}
	return lines
}

func TestAssign(t *testing.T) {
	web := units("fastapi 0.1", "numpy 17", "pandas 12", "pydantic-core 1.9", "torch 800", "torchvision 7", "uvloop 2")
	globs := []layer.Group{
		{Name: "ml", Match: func(name string) bool { return strings.HasPrefix(name, "torch") }},
		{Name: "none", Match: func(string) bool { return false }},
	}
	for _, test := range []struct {
		name string
		a    layer.Assignment
		want []string
	}{
		{"automatic", layer.Assignment{Limit: 50}, []string{
			"numpy 1.0: numpy", "pandas 1.0: pandas", "torch 1.0: torch", "torchvision 1.0: torchvision", "uvloop 1.0: uvloop",
			"dependencies: fastapi pydantic-core",
		}},
		{"single", layer.Assignment{Mode: layer.Single, Limit: 50}, []string{"dependencies: fastapi numpy pandas pydantic-core torch torchvision uvloop"}},
		{"per package", layer.Assignment{Mode: layer.PerPackage, Limit: 50}, []string{
			"fastapi 1.0: fastapi", "numpy 1.0: numpy", "pandas 1.0: pandas", "pydantic-core 1.0: pydantic-core", "torch 1.0: torch",
			"torchvision 1.0: torchvision", "uvloop 1.0: uvloop",
		}},
		{"groups", layer.Assignment{Groups: globs, Limit: 50}, []string{
			"numpy 1.0: numpy", "pandas 1.0: pandas", "uvloop 1.0: uvloop", "ml: torch torchvision", "dependencies: fastapi pydantic-core",
		}},
		{"group and single", layer.Assignment{Groups: globs, Mode: layer.Single, Limit: 50}, []string{
			"ml: torch torchvision", "dependencies: fastapi numpy pandas pydantic-core uvloop",
		}},
		{"little room", layer.Assignment{Limit: 3}, []string{
			"torchvision 1.0: torchvision", "more dependencies: numpy pandas torch uvloop", "dependencies: fastapi pydantic-core",
		}},
		{"no room", layer.Assignment{Limit: 1}, []string{"dependencies: fastapi numpy pandas pydantic-core torch torchvision uvloop"}},
		{"no room for packages", layer.Assignment{Mode: layer.PerPackage, Limit: 1}, []string{
			"more dependencies: fastapi numpy pandas pydantic-core torch torchvision uvloop",
		}},
	} {
		bundles, err := test.a.Assign(web)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, show(bundles)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.name, diff)
		}
	}
	if bundles, err := (layer.Assignment{Limit: 9}).Assign(nil); err != nil || len(bundles) > 0 {
		t.Errorf("of nothing: %v, %v", bundles, err)
	}
	if _, err := (layer.Assignment{Groups: globs, Limit: 1}).Assign(web); fault.KindOf(err) != fault.Usage {
		t.Errorf("more groups than layers: %v", err)
	}
}

// TestAssignIsStable: whatever is edited, the bundle of what was edited changes, and one more for a bound that is crossed.
func TestAssignIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := layer.Assignment{
			Limit: rapid.IntRange(1, layer.MaxOwnLayers).Draw(t, "limit"),
			Mode:  rapid.SampledFrom([]layer.Mode{"", layer.Auto, layer.PerPackage, layer.Single}).Draw(t, "mode"),
		}
		grouped := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, min(2, a.Limit-1), -1).Draw(t, "groups")
		for _, initial := range grouped {
			a.Groups = append(a.Groups, layer.Group{Name: string(initial), Match: func(name string) bool { return name[0] == byte(initial) }})
		}
		unit := rapid.Custom(func(t *rapid.T) layer.Unit {
			size := rapid.OneOf(rapid.Int64Range(0, 2*mib-1), rapid.Int64Range(2*mib, 90*mib)).Draw(t, "size")
			return layer.Unit{Name: rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name"), Size: size, Title: fmt.Sprint(rapid.Int().Draw(t, "version"))}
		})
		before := rapid.SliceOfNDistinct(unit, 0, 120, func(u layer.Unit) string { return u.Name }).Draw(t, "units")
		edited := unit.Draw(t, "edited")
		after := slices.DeleteFunc(slices.Clone(before), func(u layer.Unit) bool { return u.Name == edited.Name })
		class := func(list []layer.Unit) int {
			at := slices.IndexFunc(list, func(u layer.Unit) bool { return u.Name == edited.Name })
			switch {
			case at < 0:
				return 0
			case list[at].Size < 2*mib:
				return 1
			}
			return 2
		}
		if rapid.Bool().Draw(t, "removed") && len(after) < len(before) {
			edited.Name = ""
		} else {
			after = append(after, edited)
		}
		old, _ := assign(t, a, before)
		now, shared := assign(t, a, after)
		fresh := 0
		for bundle := range now {
			if !old[bundle] {
				fresh++
			}
		}
		allowed := 2
		if from, to := class(before), class(after); a.Mode != layer.PerPackage && from*to == 2 {
			allowed = 4 // one left and one joined, and a bound crossed by each
		}
		if fresh > allowed {
			t.Fatalf("%d bundles are new", fresh)
		}
		if bounded := shared || len(old) != len(now); fresh > 1 && allowed == 2 && !bounded && len(before) == len(after) {
			t.Fatalf("%d bundles are new, and no bound was crossed", fresh)
		}
	})
}

// assign gives the bundles as words, after checks that hold for all of them, and whether there were too many for each to have a
// bundle of its own.
func assign(t *rapid.T, a layer.Assignment, units []layer.Unit) (all map[string]bool, shared bool) {
	bundles, err := a.Assign(units)
	if err != nil {
		t.Fatal(err)
	}
	if len(bundles) > a.Limit {
		t.Fatalf("%d bundles, at most %d are allowed", len(bundles), a.Limit)
	}
	seen := map[string]int{}
	all = map[string]bool{}
	for _, b := range bundles {
		for _, u := range b.Units {
			seen[u.Name]++
		}
		words := words(b)
		shared = shared || strings.HasPrefix(b.Name, "more")
		if len(b.Units) == 0 || all[strings.Join(words, " ")] {
			t.Fatalf("bundle %q", words)
		}
		all[strings.Join(words, " ")] = true
	}
	if len(seen) != len(units) || slices.ContainsFunc(units, func(u layer.Unit) bool { return seen[u.Name] != 1 }) {
		t.Fatalf("of %d units %d are assigned", len(units), len(seen))
	}
	reversed := slices.Clone(units)
	slices.Reverse(reversed)
	if bundles, err = a.Assign(reversed); err != nil {
		t.Fatal(err)
	}
	for _, b := range bundles {
		if !all[strings.Join(words(b), " ")] {
			t.Fatalf("in another order of units %q share a bundle", words(b))
		}
	}
	return all, shared
}

// words are a bundle's units, sorted.
func words(b layer.Bundle) (words []string) {
	for _, u := range b.Units {
		words = append(words, fmt.Sprint(u.Name, u.Size, u.Title))
	}
	slices.Sort(words)
	return words
}
