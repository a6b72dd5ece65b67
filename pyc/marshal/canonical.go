package marshal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"
)

// maxInput is the longest input: places in it are counted in 32 bits.
const maxInput = 1 << 30

// rewriter has the memory of one rewriting, which the next one uses again.
type rewriter struct {
	parser

	table []uint32 // nodes by identity; 0 is none. Its length is a power of two
	seed  maphash.Seed

	out     []byte
	start   int // of this result in out
	gap     Gap
	named   bool   // the file has been named
	fileRef uint32 // its place among what is referred to
	refs    uint32 // how many have been reserved
	budget  int    // bytes that sorting may yet encode

	// While a frozenset is sorted.
	encoded  []byte
	elements []element
}

var rewriters = sync.Pool{New: func() any { return &rewriter{seed: maphash.MakeSeed(), parser: parser{classes: map[string]bool{}}} }}

// Canonical appends the canonical form of a marshalled code object to dst, without the name of its file, whose place it
// returns: offsets count from what is appended. An error gives the offset in src where it was noticed.
func (f *Format) Canonical(dst, src []byte) ([]byte, Gap, error) {
	if len(src) > maxInput {
		return dst, Gap{}, fmt.Errorf("%d bytes are too many", len(src))
	}
	r := rewriters.Get().(*rewriter)
	defer rewriters.Put(r)
	r.reset(f, dst, src)
	defer r.release()
	root, err := r.module()
	if err != nil {
		return dst, Gap{}, err
	}
	if err := r.identify(root); err != nil {
		return dst, Gap{}, err
	}
	if err := r.write(root, 1); err != nil {
		return dst, Gap{}, err
	}
	return r.out, r.gap, nil
}

func (r *rewriter) reset(f *Format, dst, src []byte) {
	p := &r.parser
	*p = parser{
		format: f, src: src, owed: 1, classes: p.classes,
		nodes: append(p.nodes[:0], singletons[:]...), kids: p.kids[:0], stack: p.stack[:0], refs: p.refs[:0], files: p.files[:0],
	}
	clear(p.classes)
	r.out, r.start = slices.Grow(dst, len(src)), len(dst)
	r.gap, r.named, r.fileRef, r.refs = Gap{}, false, 0, 0
	r.budget = 64*len(src) + 1<<16
}

// release lets go of what is not the rewriter's own.
func (r *rewriter) release() {
	r.src, r.out = nil, nil
}

// module reads the whole input: one code object, all of whose code objects name one file.
func (r *rewriter) module() (uint32, error) {
	root, err := r.object(1)
	if err != nil {
		return 0, err
	}
	if r.nodes[root].kind != typeCode {
		return 0, fmt.Errorf("type %q is no code object", r.nodes[root].kind)
	}
	if r.pos != len(r.src) {
		return 0, r.errorf("%d bytes follow the code object", len(r.src)-r.pos)
	}
	file := &r.nodes[r.files[0]]
	for _, other := range r.files[1:] {
		if n := &r.nodes[other]; n.kind != file.kind || !bytes.Equal(r.text(n), r.text(file)) {
			return 0, fmt.Errorf("code objects name the files %q and %q", r.text(file), r.text(n))
		}
	}
	return root, nil
}

// identify finds for each node the first one with the same identity, and how often that is used.
func (r *rewriter) identify(root uint32) error {
	size := 8
	for size < 2*len(r.nodes) {
		size *= 2
	}
	if cap(r.table) < size {
		r.table = make([]uint32, size)
	}
	r.table = r.table[:size]
	clear(r.table)
	for i := range uint32(firstNode) {
		r.nodes[i].same, r.nodes[i].size = i, 1
	}
	for i := firstNode; i < len(r.nodes); i++ {
		n := &r.nodes[i]
		n.same, n.ref = uint32(i), -1
		var err error
		switch n.kind {
		case typeTuple, typeFrozenset, typeSlice, typeCode:
			err = r.identifyParts(n)
		default:
			r.identifyLeaf(n)
		}
		if err != nil {
			return err
		}
	}
	r.nodes[root].uses++
	return nil
}

func (r *rewriter) identifyLeaf(n *node) {
	n.size = n.end - n.start + 5
	if n.nan {
		return
	}
	text := r.text(n)
	switch {
	case n.latin:
		n.interned = r.format.internsSigns || r.latin[r.latinCharacter(n)]
	case !n.interned && n.isString() && len(r.classes) > 0:
		n.interned = r.classes[string(text)]
	}
	r.find(n, maphash.Bytes(r.seed, text))
}

func (r *rewriter) identifyParts(n *node) error {
	kids := r.kids[n.first : n.first+n.count]
	size := uint64(5)
	for i, kid := range kids {
		kids[i] = r.nodes[kid].same
		size += uint64(r.nodes[kids[i]].size)
	}
	n.size = uint32(min(size, math.MaxUint32))
	if n.kind == typeFrozenset && len(kids) > 1 {
		if err := r.sort(kids, size); err != nil {
			return err
		}
	}
	if n.kind != typeCode {
		hash := uint64(len(kids))
		for _, kid := range kids {
			hash = (hash ^ uint64(kid)) * 0x9e3779b97f4a7c15
			hash ^= hash >> 29
		}
		if !r.find(n, hash) {
			return nil
		}
	}
	for i, kid := range kids {
		if n.kind != typeCode || i != r.format.filePart {
			r.nodes[kid].uses++
		}
	}
	return nil
}

// find makes n the same as an equal node before it, or is true.
func (r *rewriter) find(n *node, hash uint64) bool {
	hash ^= uint64(n.kind) << 8
	mask := uint32(len(r.table) - 1)
	for slot := uint32(hash^hash>>32) & mask; ; slot = (slot + 1) & mask {
		other := r.table[slot]
		if other == 0 {
			r.table[slot] = n.same
			return true
		}
		if r.equal(n, &r.nodes[other]) {
			n.same = other
			return false
		}
	}
}

func (r *rewriter) equal(a, b *node) bool {
	if a.kind != b.kind || a.interned != b.interned {
		return false
	}
	if a.isCollection() {
		return slices.Equal(r.kids[a.first:a.first+a.count], r.kids[b.first:b.first+b.count])
	}
	return bytes.Equal(r.text(a), r.text(b))
}

// sort puts the elements of a frozenset, whose encodings have size bytes, in order.
func (r *rewriter) sort(kids []uint32, size uint64) error {
	if size > uint64(r.budget) {
		return errors.New("frozensets share too much to be sorted")
	}
	r.budget -= int(size)
	encoded, elements := r.encoded[:0], r.elements[:0]
	for _, kid := range kids {
		start := len(encoded)
		encoded = r.appendTree(encoded, kid)
		elements = append(elements, element{kid, start, len(encoded)})
	}
	slices.SortStableFunc(elements, func(a, b element) int {
		return bytes.Compare(encoded[a.start:a.end], encoded[b.start:b.end])
	})
	for i, e := range elements {
		kids[i] = e.node
	}
	r.encoded, r.elements = encoded, elements
	return nil
}

// element is an element of a frozenset and where its encoding is.
type element struct {
	node       uint32
	start, end int
}
