package layer_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"vpk/layer"
	"vpk/venv/tree"
)

// known is content whose digest is known, as that of a wheel's member is.
type known struct {
	tree.Bytes
	digest tree.Digest
}

func (k known) Digest() tree.Digest { return k.digest }

// prose is about n bytes with the entropy of source code: words from a vocabulary of a thousand.
func prose(seed string, n int) []byte {
	noise := Noise(seed, n/2)
	out := make([]byte, 0, n+64)
	for i := 0; len(out) < n; i += 2 {
		word := int(noise[i])<<2 | int(noise[i+1])&3
		out = fmt.Appendf(out, "%x%s", word*word, [...]string{" ", "_", "\n    ", "("}[noise[i+1]>>6])
	}
	return out
}

// wheelLike is about 32 MiB in 1,300 files: three quarters source, the rest what does not compress.
func wheelLike() (layer.Spec, int64) {
	var part tree.Part
	total := int64(0)
	add := func(name string, data []byte) {
		e := File(name, data, false)
		e.Content = known{data, e.Content.Digest()}
		part.Entries = append(part.Entries, e)
		total += int64(len(data))
	}
	for i := range 1300 {
		add(fmt.Sprintf("app/pkg/m%04d.py", i), prose(fmt.Sprint(i), 18<<10))
	}
	for i := range 2 {
		add(fmt.Sprintf("app/pkg/n%d.so", i), Noise(fmt.Sprint(i), 4<<20))
	}
	part.Name = "wheel"
	return layer.Spec{Name: "bench", MTime: MTime, Parts: []tree.Part{part}}, total
}

func BenchmarkBuild(b *testing.B) {
	spec, total := wheelLike()
	cache := Cache(b)
	b.SetBytes(total)
	for b.Loop() {
		build(b, cache, spec)
	}
}

// BenchmarkKnownLayer is a layer that the cache knows.
func BenchmarkKnownLayer(b *testing.B) {
	spec, _ := wheelLike()
	spec.Parts[0].Key = "key"
	cache := Cache(b)
	build(b, cache, spec)
	for b.Loop() {
		build(b, cache, spec)
	}
}

func BenchmarkGzipAlone(b *testing.B) {
	spec, total := wheelLike()
	b.SetBytes(total)
	zw, err := gzip.NewWriterLevel(io.Discard, 5)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		zw.Reset(io.Discard)
		for _, e := range spec.Parts[0].Entries {
			if _, err := zw.Write(e.Content.(known).Bytes); err != nil {
				b.Fatal(err)
			}
		}
		if err := zw.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSHA256Alone(b *testing.B) {
	spec, total := wheelLike()
	b.SetBytes(total)
	for b.Loop() {
		h := sha256.New()
		for _, e := range spec.Parts[0].Entries {
			h.Write(e.Content.(known).Bytes)
		}
	}
}
