package layer_test

import (
	"testing"

	"vpk/internal/cas/castest"
	"vpk/layer"
)

func TestVerifyCache(t *testing.T) {
	for _, how := range []string{"gzip", "zstd", "none"} {
		compression, err := layer.ParseCompression(how)
		if err != nil {
			t.Fatal(err)
		}
		cache := Cache(t)
		spec := Dependencies()
		spec.Compression = compression
		spec.Parts = append(spec.Parts, Part("large", File("app/large.py", Source("large", 2<<20), false)))
		build(t, cache, spec)
		if seen := castest.Verify(t, cache, layer.Kinds(), ""); how != "none" && len(seen) != len(layer.Kinds()) {
			t.Errorf("%s: kinds: %v", how, seen)
		}
	}
}
