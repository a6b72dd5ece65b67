package marshal

import "bytes"

// code reads a code object.
func (p *parser) code(depth int) (uint32, error) {
	made, bottom := node{kind: typeCode, start: uint32(p.pos)}, len(p.stack)
	parts := 0
	for _, f := range p.format.fields {
		if f != number {
			parts++
		}
	}
	if err := p.announce(parts); err != nil {
		return 0, err
	}
	for _, f := range p.format.fields {
		if f == number {
			at, err := p.take(4)
			if err != nil {
				return 0, err
			}
			made.end = at
			continue
		}
		at, err := p.object(depth + 1)
		if err != nil {
			return 0, err
		}
		if err := p.check(f, at); err != nil {
			return 0, err
		}
		p.stack = append(p.stack, at)
	}
	if p.format.internsSigns {
		p.noteClass(&made, p.stack[bottom:])
	}
	return p.finish(made, bottom), nil
}

// check proves that a part of a code object is of its type, and says which strings of it are interned.
func (p *parser) check(f field, at uint32) error {
	n := &p.nodes[at]
	ok := false
	switch f {
	case octets:
		ok = n.kind == typeBytes
	case consts:
		ok = n.kind == typeTuple
	case names:
		ok = n.kind == typeTuple
		for _, kid := range p.kids[n.first : n.first+n.count] {
			name := &p.nodes[kid]
			ok = ok && name.isString()
			name.interned = true
			if name.latin {
				p.latin[p.latinCharacter(name)] = true
			}
		}
	case fileName:
		if ok = n.isString(); ok {
			p.files = append(p.files, at)
		}
	case funcName, qualName:
		ok = n.isString()
		switch {
		case p.format.internsSigns:
			n.interned = true
		case p.format.plainOwnNames && n.end > n.start && p.src[n.start] == '<':
			n.interned = false
		}
	}
	if !ok {
		return p.errorf("type %q is not what a code object has here", n.kind)
	}
	return nil
}

// Where a code object of 3.11 and later has what noteClass looks at.
const (
	flagsAt     = 16 // co_flags, in its numbers
	constsPart  = 1  // in its parts
	qualPart    = 7
	coOptimized = 1 // in co_flags: a function and not a class body
)

// noteClass notes the qualified name of a class body that holds it among its constants.
func (p *parser) noteClass(code *node, parts []uint32) {
	if p.src[code.start+flagsAt]&coOptimized != 0 {
		return
	}
	name := p.text(&p.nodes[parts[qualPart]])
	if isName(name) {
		return
	}
	held := &p.nodes[parts[constsPart]]
	for _, kid := range p.kids[held.first : held.first+held.count] {
		if n := &p.nodes[kid]; n.isString() && bytes.Equal(p.text(n), name) {
			p.classes[string(name)] = true
			return
		}
	}
}
