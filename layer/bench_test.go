package layer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"vpk/internal/cas"
	"vpk/internal/inflate"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
)

// noise is n bytes that nothing compresses.
func noise(seed string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(seed), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// prose is about n bytes with the entropy of source code: words from a vocabulary of a thousand.
func prose(seed string, n int) []byte {
	random := noise(seed, n/2)
	out := make([]byte, 0, n+64)
	for i := 0; len(out) < n; i += 2 {
		word := int(random[i])<<2 | int(random[i+1])&3
		out = fmt.Appendf(out, "%x%s", word*word, [...]string{" ", "_", "\n    ", "("}[random[i+1]>>6])
	}
	return out
}

// wheelLike is about 33 MiB of a wheel: a third of it in small modules, a third in large ones, the rest what does not compress.
func wheelLike(b *testing.B) (Spec, int64) {
	var members []testwheel.Member
	add := func(name string, data []byte) {
		members = append(members, testwheel.Member{Name: name, Content: string(data)})
	}
	for i := range 1000 {
		add(fmt.Sprintf("pkg/m%04d.py", i), prose(fmt.Sprint(i), 11<<10))
	}
	for i := range 100 {
		add(fmt.Sprintf("pkg/l%03d.py", i), prose(fmt.Sprint("l", i), 110<<10))
	}
	for i := range 2 {
		add(fmt.Sprintf("pkg/n%d.so", i), noise(fmt.Sprint(i), 5<<20))
	}
	part := tree.Part{Name: "wheel", Key: "key"}
	total := int64(0)
	for _, m := range fetch(b, testwheel.Archive("", members...)).Members() {
		part.Entries = append(part.Entries, tree.Entry{Path: m.Name(), Kind: tree.File, Mode: 0o644, Content: m})
		total += m.Size()
	}
	b.SetBytes(total)
	return Spec{Name: "bench", MTime: time.Unix(315532800, 0), Parts: []tree.Part{part}}, total
}

func benchCache(b *testing.B) *cas.Store {
	b.Helper()
	cache, err := cas.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return cache
}

// BenchmarkSegment compresses what is not spliced.
func BenchmarkSegment(b *testing.B) {
	spec, total := wheelLike(b)
	for _, how := range []string{"gzip", "zstd"} {
		c, err := ParseCompression(how)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(how, func(b *testing.B) {
			plan, err := spec.plan()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(total)
			for b.Loop() {
				if _, err := c.codec().encode(b.Context(), io.Discard, io.Discard, plan[1].items); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHash hashes a layer whose segments the cache has: read, splice, inflate, two SHA-256.
func BenchmarkHash(b *testing.B) {
	spec, _ := wheelLike(b)
	builder := NewBuilder(benchCache(b))
	if _, err := builder.make(b.Context(), spec, false); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := builder.make(b.Context(), spec, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen puts a blob together, as a destination reads it: splice, one SHA-256.
func BenchmarkOpen(b *testing.B) {
	spec, _ := wheelLike(b)
	l, err := Build(b.Context(), benchCache(b), spec)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(l.sums.Size)
	for b.Loop() {
		rc, err := l.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rc); err != nil {
			b.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSplice is a stream alone, from memory.
func BenchmarkSplice(b *testing.B) {
	spec, _ := wheelLike(b)
	var streams []tree.Deflate
	size := int64(0)
	for _, e := range spec.Parts[0].Entries {
		if d, ok := e.Content.(tree.Deflated).Deflate(); ok {
			streams, size = append(streams, d), size+d.Size
		}
	}
	b.SetBytes(size)
	for b.Loop() {
		for _, d := range streams {
			raw, err := d.Open()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, splice(raw, d)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkKnownLayer is a layer that the cache knows.
func BenchmarkKnownLayer(b *testing.B) {
	spec, _ := wheelLike(b)
	builder := NewBuilder(benchCache(b))
	if _, err := builder.Build(b.Context(), spec); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := builder.Build(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
	}
}

// content is what a layer's files hold, one after the other.
func content(b *testing.B, spec Spec) []byte {
	b.Helper()
	plan, err := spec.plan()
	if err != nil {
		b.Fatal(err)
	}
	data, err := io.ReadAll(&tarReader{items: plan[1].items})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	return data
}

// The limits of the machine.

func BenchmarkGzipAlone(b *testing.B) {
	spec, _ := wheelLike(b)
	data := content(b, spec)
	zw, err := gzip.NewWriterLevel(io.Discard, gzipLevel)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		zw.Reset(io.Discard)
		if _, err := zw.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInflateAlone(b *testing.B) {
	spec, _ := wheelLike(b)
	r := inflate.NewReader()
	for b.Loop() {
		for _, e := range spec.Parts[0].Entries {
			raw, err := e.Content.(interface {
				Raw() (*io.SectionReader, error)
			}).Raw()
			if err != nil {
				b.Fatal(err)
			}
			r.Reset(raw)
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkSHA256Alone(b *testing.B) {
	spec, _ := wheelLike(b)
	data := content(b, spec)
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func BenchmarkCopyAlone(b *testing.B) {
	spec, _ := wheelLike(b)
	data := content(b, spec)
	to := make([]byte, len(data))
	for b.Loop() {
		copy(to, data)
	}
}
