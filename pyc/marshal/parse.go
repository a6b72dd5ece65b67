package marshal

import (
	"encoding/binary"
	"fmt"
	"math"
)

// node is an object of the input. Parts come before what they are part of.
type node struct {
	// kind is the type byte; of strings typeASCII or typeUnicode, of tuples typeTuple.
	kind     byte
	interned bool // of a string
	latin    bool // of a string: it is one character of Latin-1, and not interned as a name
	nan      bool // of a number: some part of it is not a number
	// start and end are the place of the payload in the input. A code object's are its numbers: before its parts, and
	// where the last one is.
	start, end uint32
	// kids are parser.kids[first:first+count]: the nodes of its parts.
	first, count uint32

	same uint32 // the first node with this identity
	uses uint32 // how often that occurs
	ref  int32  // its place among what is written with the reference flag, or -1
	size uint32 // of its encoding without references, or the highest number
}

// The nodes that every input has.
const (
	nodeNone = iota
	nodeTrue
	nodeFalse
	nodeEllipsis
	firstNode
)

var singletons = [firstNode]node{nodeNone: {kind: typeNone}, nodeTrue: {kind: typeTrue}, nodeFalse: {kind: typeFalse}, nodeEllipsis: {kind: typeEllipsis}}

// parser reads the input.
type parser struct {
	format *Format
	src    []byte
	pos    int
	nodes  []node
	kids   []uint32
	stack  []uint32 // parts of what is not finished
	refs   []uint32 // nodes with the reference flag; unfinished while they are read
	owed   int      // how many objects are announced and not read yet; each takes a byte at least
	slices int      // how many slices that which is read is in
	files  []uint32 // the name of the file in each code object
	// latin are the characters of Latin-1 that are names in some code object.
	latin [256]bool
	// classes are the qualified names that class bodies hold among their constants, where those are interned.
	classes map[string]bool
}

const unfinished = math.MaxUint32

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("offset %d: %s", p.pos, fmt.Sprintf(format, args...))
}

func (p *parser) errShort() error { return p.errorf("the data ends early") }

// take consumes n bytes and says where they start.
func (p *parser) take(n int) (uint32, error) {
	if n > len(p.src)-p.pos {
		return 0, p.errShort()
	}
	start := p.pos
	p.pos += n
	return uint32(start), nil
}

// number reads 4 bytes.
func (p *parser) number() (int32, error) {
	at, err := p.take(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.LittleEndian.Uint32(p.src[at:])), nil
}

// length reads how long something is: 4 bytes.
func (p *parser) length() (int, error) {
	n, err := p.number()
	if err == nil && n < 0 {
		err = p.errorf("a length of %d", n)
	}
	return int(n), err
}

// shortLength reads how long something is: one byte.
func (p *parser) shortLength() (int, error) {
	at, err := p.take(1)
	if err != nil {
		return 0, err
	}
	return int(p.src[at]), nil
}

// object reads one object. depth counts the objects that it is in, and itself.
func (p *parser) object(depth int) (uint32, error) {
	if p.pos == len(p.src) {
		return 0, p.errShort()
	}
	if depth > MaxDepth {
		return 0, p.errorf("objects nest more than %d deep", MaxDepth)
	}
	code := p.src[p.pos]
	p.pos++
	p.owed--
	reserved := -1
	if code&flagRef != 0 {
		reserved = len(p.refs)
		p.refs = append(p.refs, unfinished)
	}
	var at uint32
	var err error
	switch kind := code &^ flagRef; kind {
	case typeNone:
		at = nodeNone
	case typeTrue:
		at = nodeTrue
	case typeFalse:
		at = nodeFalse
	case typeEllipsis:
		at = nodeEllipsis
	case typeRef:
		if reserved >= 0 {
			return 0, p.unknown(code)
		}
		return p.reference()
	case typeShort, typeShortInterned, typeASCII, typeASCIIInterned, typeUnicode, typeInterned:
		at, err = p.str(kind)
	case typeInt, typeLong, typeFloat, typeComplex, typeBytes:
		at, err = p.plain(kind)
	case typeTuple, typeSmallTuple, typeFrozenset:
		at, err = p.collection(kind, depth)
	case typeSlice:
		if !p.format.slices {
			return 0, p.unknown(kind)
		}
		p.slices++
		if err = p.announce(3); err == nil {
			at, err = p.elements(node{kind: typeSlice}, 3, depth)
		}
		p.slices--
	case typeCode:
		at, err = p.code(depth)
	default:
		return 0, p.unknown(kind)
	}
	if err != nil {
		return 0, err
	}
	if reserved >= 0 {
		if at < firstNode {
			return 0, p.errorf("a reference flag on type %q", code&^flagRef)
		}
		p.refs[reserved] = at
	}
	return at, nil
}

func (p *parser) unknown(kind byte) error {
	p.pos--
	return p.errorf("type byte %#02x (%q) is unknown", kind, kind)
}

func (p *parser) reference() (uint32, error) {
	n, err := p.number()
	if err != nil {
		return 0, err
	}
	if n < 0 || int(n) >= len(p.refs) || p.refs[n] == unfinished {
		return 0, p.errorf("reference to %d, of %d objects", n, len(p.refs))
	}
	return p.refs[n], nil
}

func (p *parser) add(n node) uint32 {
	p.nodes = append(p.nodes, n)
	return uint32(len(p.nodes) - 1)
}

func (p *parser) str(kind byte) (uint32, error) {
	length := p.length
	class := byte(typeASCII)
	switch kind {
	case typeShort, typeShortInterned:
		length = p.shortLength
	case typeUnicode, typeInterned:
		class = typeUnicode
	}
	n, err := length()
	if err != nil {
		return 0, err
	}
	start, err := p.take(n)
	if err != nil {
		return 0, err
	}
	text := p.src[start:p.pos]
	if class == typeUnicode && n == 0 {
		class = typeASCII // as the reader takes it
	}
	made := node{kind: class, start: start, end: uint32(p.pos)}
	switch {
	case class == typeASCII && isName(text) && p.slices == 0:
		made.interned = true
	case isLatinCharacter(class, text):
		made.latin, made.interned = true, p.format.internsSigns
	default:
		made.interned = kind == typeShortInterned || kind == typeASCIIInterned || kind == typeInterned
	}
	return p.add(made), nil
}

// isName reports whether the compiler takes a string for a name: CPython's all_name_chars.
func isName(text []byte) bool {
	for _, c := range text {
		if !nameChars[c] {
			return false
		}
	}
	return true
}

var nameChars = func() (set [256]bool) {
	for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" {
		set[c] = true
	}
	return set
}()

// isLatinCharacter reports whether a string is one character of Latin-1.
func isLatinCharacter(class byte, text []byte) bool {
	if class == typeASCII {
		return len(text) == 1
	}
	return len(text) == 2 && text[0]&^1 == 0xc2
}

// text is the payload of a node.
func (p *parser) text(n *node) []byte { return p.src[n.start:n.end] }

// latinCharacter is the character of a node that is one of Latin-1.
func (p *parser) latinCharacter(n *node) byte {
	text := p.text(n)
	if len(text) == 1 {
		return text[0]
	}
	return text[0]<<6 | text[1]&0x3f
}

// plain reads a number or bytes.
func (p *parser) plain(kind byte) (uint32, error) {
	n, width := 0, 1
	var err error
	switch kind {
	case typeInt:
		n = 4
	case typeFloat:
		n = 8
	case typeComplex:
		n = 16
	case typeBytes:
		n, err = p.length()
	case typeLong:
		var digits int32
		digits, err = p.number()
		n, width = max(int(digits), -int(digits)), 2
		if err == nil {
			p.pos -= 4 // the number of digits is part of the payload
			if n = n*width + 4; digits == 0 {
				err = p.errorf("a long of no digits")
			}
		}
	}
	if err != nil {
		return 0, err
	}
	start, err := p.take(n)
	if err != nil {
		return 0, err
	}
	made := node{kind: kind, start: start, end: uint32(p.pos)}
	if kind == typeFloat || kind == typeComplex {
		for part := start; part < made.end; part += 8 {
			made.nan = made.nan || isNaN(p.src[part:])
		}
	}
	return p.add(made), nil
}

func isNaN(b []byte) bool { return math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(b))) }

func (p *parser) collection(kind byte, depth int) (uint32, error) {
	length := p.length
	if kind == typeSmallTuple {
		kind, length = typeTuple, p.shortLength
	}
	n, err := length()
	if err == nil {
		err = p.announce(n)
	}
	if err != nil {
		return 0, err
	}
	return p.elements(node{kind: kind}, n, depth)
}

// announce notes that n more objects come, for which there must be room.
func (p *parser) announce(n int) error {
	if p.owed+n > len(p.src)-p.pos {
		return p.errShort()
	}
	p.owed += n
	return nil
}

// elements reads the n parts of an object and adds it.
func (p *parser) elements(made node, n, depth int) (uint32, error) {
	bottom := len(p.stack)
	for range n {
		at, err := p.object(depth + 1)
		if err != nil {
			return 0, err
		}
		if made.kind == typeFrozenset && p.nodes[at].kind == typeCode {
			return 0, p.errorf("a code object in a frozenset")
		}
		p.stack = append(p.stack, at)
	}
	return p.finish(made, bottom), nil
}

// finish adds an object whose parts are on the stack from bottom on.
func (p *parser) finish(made node, bottom int) uint32 {
	made.first, made.count = uint32(len(p.kids)), uint32(len(p.stack)-bottom)
	p.kids = append(p.kids, p.stack[bottom:]...)
	p.stack = p.stack[:bottom]
	return p.add(made)
}

func (n *node) isCollection() bool {
	return n.kind == typeTuple || n.kind == typeFrozenset || n.kind == typeSlice
}

func (n *node) isString() bool { return n.kind == typeASCII || n.kind == typeUnicode }
