package layer

import (
	"fmt"
	"testing"

	"golang.org/x/sync/semaphore"

	"vpk/internal/cas"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
)

// TestKept: a layer is the same whether what was compressed is still in memory when it is hashed, or some of it, or nothing.
func TestKept(t *testing.T) {
	spec := Spec{Name: "kept", Owner: Owner{UID: 1, GID: 1}}
	for i := range 3 {
		var members []testwheel.Member
		for j, n := range []int{0, 1, 511, 512, 5000, copyBuffer - 512, copyBuffer, 3*copyBuffer + 7} {
			method := testwheel.Deflate
			if j%2 == 0 {
				method = testwheel.Store
			}
			members = append(members, testwheel.Member{Name: fmt.Sprintf("p%d/f%d", i, j), Content: string(prose(fmt.Sprint(i, j), n+100)[:n]), Method: method})
		}
		part := tree.Part{Name: fmt.Sprint("part ", i), Key: fmt.Sprint("key ", i)}
		for _, m := range fetch(t, testwheel.Archive("", members...)).Members() {
			part.Entries = append(part.Entries, tree.Entry{Path: m.Name(), Kind: tree.File, Mode: 0o644, Content: m})
		}
		spec.Parts = append(spec.Parts, part)
	}
	for _, compression := range []Compression{{}, {method: "zstd", level: zstdDefault}} {
		spec.Compression = compression
		var want sums
		for _, room := range []int64{0, 1, 3, 20, keptLimit} {
			cache, err := cas.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			b := NewBuilder(cache)
			b.kept.room = semaphore.NewWeighted(room)
			for _, p := range spec.Parts[:2] {
				own := spec
				own.Parts = []tree.Part{p}
				if err := b.Prepare(t.Context(), own); err != nil {
					t.Fatal(err)
				}
			}
			l, err := b.Build(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if room == 0 {
				want = l.sums
			}
			if l.sums != want {
				t.Errorf("%v: with room for %d buffers %v, without %v", compression, room, l.sums, want)
			}
			if !b.kept.room.TryAcquire(room) || len(b.kept.kept) > 0 {
				t.Errorf("%v: of %d buffers some are not free again, %d segments are kept", compression, room, len(b.kept.kept))
			}
		}
	}
}
