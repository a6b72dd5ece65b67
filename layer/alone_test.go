package layer_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vpk/layer"
)

// TestAloneBeforeTheOthersAreKnown: what IsAlone says of a unit, Assign does, whatever else there is.
func TestAloneBeforeTheOthersAreKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := layer.Assignment{Mode: rapid.SampledFrom([]layer.Mode{layer.Auto, layer.Single, layer.PerPackage}).Draw(t, "mode"), Limit: layer.MaxOwnLayers}
		if rapid.Bool().Draw(t, "grouped") {
			a.Groups = []layer.Group{{Name: "group", Match: func(name string) bool { return name < "p20" }}}
		}
		var all []layer.Unit
		for i := range rapid.IntRange(1, 40).Draw(t, "units") {
			name := fmt.Sprintf("p%02d", i)
			all = append(all, layer.Unit{Name: name, Title: name + " 1.0", Size: rapid.Int64Range(1, 6*mib).Draw(t, "size")})
		}
		bundles, err := a.Assign(all)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range all {
			at := slices.IndexFunc(bundles, func(b layer.Bundle) bool { return b.Name == u.Title })
			if own := at >= 0 && len(bundles[at].Units) == 1 && bundles[at].Units[0].Name == u.Name; own != a.IsAlone(u) {
				t.Errorf("%s of %d bytes: IsAlone is %t, %v", u.Name, u.Size, a.IsAlone(u), show(bundles))
			}
		}
	})
}
