package marshal

import (
	"encoding/binary"
	"fmt"
	"math"
)

// write appends a node, once, and refers to it from then on. depth counts the objects that it is in, and itself.
func (r *rewriter) write(at uint32, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("objects nest more than %d deep", MaxDepth)
	}
	n := &r.nodes[at]
	flag := byte(0)
	if n.uses > 1 && !n.short() {
		if n.ref >= 0 {
			r.refer(uint32(n.ref))
			return nil
		}
		n.ref = int32(r.refs)
		r.refs++
		flag = flagRef
	}
	kids := r.kids[n.first : n.first+n.count]
	switch n.kind {
	case typeCode:
		return r.writeCode(n, flag, kids, depth)
	case typeTuple, typeFrozenset, typeSlice:
		r.out = appendHead(r.out, n, flag)
		for _, kid := range kids {
			if err := r.write(kid, depth+1); err != nil {
				return err
			}
		}
	default:
		r.out = r.appendLeaf(r.out, n, flag)
	}
	return nil
}

// short reports whether a reference would be longer than the object, of which the interpreter has one anyway.
func (n *node) short() bool {
	switch n.kind {
	case typeNone, typeTrue, typeFalse, typeEllipsis:
		return true
	case typeTuple:
		return n.count == 0
	case typeASCII:
		return n.end-n.start <= 1
	}
	return false
}

func (r *rewriter) refer(ref uint32) {
	r.out = binary.LittleEndian.AppendUint32(append(r.out, typeRef), ref)
}

func (r *rewriter) writeCode(n *node, flag byte, kids []uint32, depth int) error {
	r.out = append(r.out, typeCode|flag)
	from, part := n.start, 0
	for _, f := range r.format.fields {
		if f == number {
			r.out = append(r.out, r.src[from:from+4]...)
			from += 4
			continue
		}
		from = n.end // of the numbers after a part there is one
		if f == fileName {
			r.writeFileName()
		} else if err := r.write(kids[part], depth+1); err != nil {
			return err
		}
		part++
	}
	return nil
}

// writeFileName leaves the gap, or refers to what will be there.
func (r *rewriter) writeFileName() {
	if r.named {
		r.refer(r.fileRef)
		return
	}
	r.named, r.gap = true, Gap{At: len(r.out) - r.start, Shared: len(r.files) > 1}
	if r.gap.Shared {
		r.fileRef = r.refs
		r.refs++
	}
}

// appendTree appends the encoding of a node without references.
func (r *rewriter) appendTree(b []byte, at uint32) []byte {
	n := &r.nodes[at]
	if !n.isCollection() {
		return r.appendLeaf(b, n, 0)
	}
	b = appendHead(b, n, 0)
	for _, kid := range r.kids[n.first : n.first+n.count] {
		b = r.appendTree(b, kid)
	}
	return b
}

// appendHead appends what comes before a collection's elements.
func appendHead(b []byte, n *node, flag byte) []byte {
	switch {
	case n.kind == typeSlice:
		return append(b, typeSlice|flag)
	case n.kind == typeTuple && n.count < 256:
		return append(b, typeSmallTuple|flag, byte(n.count))
	}
	return binary.LittleEndian.AppendUint32(append(b, n.kind|flag), n.count)
}

// appendLeaf appends an object without parts.
func (r *rewriter) appendLeaf(b []byte, n *node, flag byte) []byte {
	text := r.text(n)
	switch n.kind {
	case typeASCII, typeUnicode:
		return appendString(b, n.kind, n.interned, flag != 0, text)
	case typeBytes:
		return append(binary.LittleEndian.AppendUint32(append(b, typeBytes|flag), uint32(len(text))), text...)
	}
	b = append(b, n.kind|flag)
	if !n.nan {
		return append(b, text...)
	}
	for ; len(text) > 0; text = text[8:] {
		number := binary.LittleEndian.Uint64(text)
		if math.IsNaN(math.Float64frombits(number)) {
			number = 0x7ff8000000000000
		}
		b = binary.LittleEndian.AppendUint64(b, number)
	}
	return b
}
