package layer_test

import (
	"testing"

	"vpk/internal/cas/castest"
	"vpk/internal/progress"
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
		img, err := layer.Image(Base(t, false), layer.BaseInfo{}, []*layer.Layer{build(t, cache, spec)}, Config())
		if err != nil {
			t.Fatal(err)
		}
		reg := newRegistry(t, nil)
		tags := names(t, reg.host+"/app:v1")
		if _, err := (layer.Registry{Transport: reg.transport, Cache: cache}).Deliver(t.Context(), layer.Artifact{Image: img, Names: tags}, progress.Discard); err != nil {
			t.Fatal(err)
		}
		if seen := castest.Verify(t, cache, layer.Kinds(), ""); how != "none" && len(seen) != len(layer.Kinds()) {
			t.Errorf("%s: kinds: %v", how, seen)
		}
	}
}
