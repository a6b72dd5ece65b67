package marshal

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzCanonical: what is accepted is rewritten to what is rewritten to itself, is not longer, and needs memory in proportion.
func FuzzCanonical(f *testing.F) {
	order := []string{"cpython-39", "cpython-310", "cpython-311", "cpython-312", "cpython-313", "cpython-314"}
	for i, tag := range order {
		f.Add(uint8(i), testModule(f, tag))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		format, _ := For(order[int(which)%len(order)])
		before := bytes.Clone(data)
		out, gap, err := format.Canonical(nil, data)
		if !bytes.Equal(data, before) {
			t.Error("the input was changed")
		}
		if err != nil {
			return
		}
		if len(out) > len(data) {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
		const name = "/a.py"
		whole := fill(format, out, gap, name)
		again, gapAgain, err := format.Canonical(nil, whole)
		if err != nil {
			t.Fatalf("the canonical form is refused: %v", err)
		}
		if gap != gapAgain || !slices.Equal(out, again) {
			t.Errorf("%x is rewritten to %x", out, again)
		}
		r := rewriters.Get().(*rewriter)
		if held := cap(r.nodes) + cap(r.kids) + cap(r.table) + cap(r.encoded)/64; held > 64*max(len(data), 1<<20) {
			t.Errorf("%d bytes took %d nodes, %d kids, a table of %d, %d bytes for sorting", len(data), cap(r.nodes), cap(r.kids), cap(r.table), cap(r.encoded))
		}
		rewriters.Put(r)
	})
}
