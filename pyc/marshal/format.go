package marshal

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep objects may nest: MAX_MARSHAL_STACK_DEPTH of Python/marshal.c.
const MaxDepth = 2000

// Type bytes of Python/marshal.c. A set high bit is the reference flag.
const (
	typeNone          = 'N'
	typeTrue          = 'T'
	typeFalse         = 'F'
	typeEllipsis      = '.'
	typeInt           = 'i' // 4 bytes
	typeLong          = 'l' // number of 15-bit digits, negative for a negative number, and those
	typeFloat         = 'g' // 8 bytes
	typeComplex       = 'y' // 16 bytes
	typeBytes         = 's' // length and bytes
	typeUnicode       = 'u' // length and UTF-8, which may have surrogates
	typeInterned      = 't' // the same, interned
	typeASCII         = 'a' // length and ASCII
	typeASCIIInterned = 'A'
	typeShort         = 'z' // length, one byte, and ASCII
	typeShortInterned = 'Z'
	typeTuple         = '(' // length and elements
	typeSmallTuple    = ')' // length, one byte, and elements
	typeFrozenset     = '>' // length and elements
	typeSlice         = ':' // start, stop, step
	typeCode          = 'c' // the fields of a Format
	typeRef           = 'r' // the place among the objects with the reference flag

	flagRef = 0x80
)

// field is what a code object has at one place.
type field byte

const (
	number   field = iota // 4 bytes
	octets                // a bytes object
	consts                // a tuple
	names                 // a tuple of names
	fileName              // a string
	funcName              // a string: co_name
	qualName              // a string: co_qualname
)

// Format is how one CPython minor marshals code objects.
type Format struct {
	fields   []field
	filePart int  // which of the parts, the fields that are objects, is the name of the file
	slices   bool // may be constants
	// internsSigns: the constructor of code objects interns co_name, co_qualname and co_filename, and the characters of Latin-1 are interned.
	internsSigns bool
	// plainOwnNames: the compiler's own names, such as <lambda>, are not interned.
	plainOwnNames bool
}

var (
	fields39  = []field{number, number, number, number, number, number, octets, consts, names, names, names, names, fileName, funcName, number, octets}
	fields311 = []field{number, number, number, number, number, octets, consts, names, names, octets, fileName, funcName, qualName, number, octets, octets}

	formats = map[int]*Format{
		9:  {fields: fields39, filePart: 6},
		10: {fields: fields39, filePart: 6},
		11: {fields: fields311, filePart: 5, plainOwnNames: true},
		12: {fields: fields311, filePart: 5, plainOwnNames: true},
		13: {fields: fields311, filePart: 5, internsSigns: true},
		14: {fields: fields311, filePart: 5, internsSigns: true, slices: true},
	}
)

// Formats are the interpreters whose formats are known, in words.
const Formats = "CPython 3.9 to 3.14"

// For gives the format of an interpreter by its cache tag, such as "cpython-311".
func For(cacheTag string) (*Format, bool) {
	digits, ok := strings.CutPrefix(cacheTag, "cpython-3")
	minor, err := strconv.Atoi(digits)
	f := formats[minor]
	return f, ok && err == nil && f != nil && strconv.Itoa(minor) == digits
}

// Gap is where the name of the file is left out.
type Gap struct {
	At     int  // offset
	Shared bool // it is referred to by more than one code object
}

// FileName is what to put in the gap: the encoding of a path as a string. What of the path is not UTF-8 is escaped as the
// interpreter does it (PEP 383).
func (f *Format) FileName(path string, shared bool) []byte {
	text, ascii := make([]byte, 0, len(path)), true
	for i := 0; i < len(path); {
		r, n := utf8.DecodeRuneInString(path[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			text = append(text, 0xed, 0xb0|path[i]>>6, 0x80|path[i]&0x3f) // U+DC00 and the byte
			ascii = false
		default:
			text = append(text, path[i:i+n]...)
			ascii = ascii && n == 1
		}
		i += n
	}
	class := byte(typeUnicode)
	if ascii {
		class = typeASCII
	}
	return appendString(nil, class, f.internsSigns, shared, text)
}

// appendString encodes a string of class typeASCII or typeUnicode.
func appendString(b []byte, class byte, interned, flagged bool, text []byte) []byte {
	flag := byte(0)
	if flagged {
		flag = flagRef
	}
	switch {
	case class == typeUnicode && interned:
		class = typeInterned
	case class == typeASCII && len(text) < 256:
		class = typeShort
		if interned {
			class = typeShortInterned
		}
		return append(append(b, class|flag, byte(len(text))), text...)
	case class == typeASCII && interned:
		class = typeASCIIInterned
	}
	return append(binary.LittleEndian.AppendUint32(append(b, class|flag), uint32(len(text))), text...)
}
