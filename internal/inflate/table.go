package inflate

import (
	"math/bits"
	"sync"
)

// An entry of a decoding table says what the next bits of the stream are, and how many of them it takes:
//
//	bits 0 to 5    how many bits the code has, with its extra bits
//	bits 8 to 11   how many of them are the code itself; of a link, how many more the table has that it leads to
//	bits 12 to 15  what it is
//	bits 16 to 31  the byte, the base of a length or distance, or where the table of a link begins
type entry uint32

const (
	isLiteral entry = 1 << 15 // a byte
	isOther   entry = 1 << 14 // neither a byte nor a base; what it is of these, the next bits say
	isLink    entry = 1 << 13 // it leads to another table, for codes that are longer than the index of this
	isEnd     entry = 1 << 12 // the end of the block; with neither, there is no such code
)

func (e entry) bits() uint64     { return uint64(e) & 63 }
func (e entry) codeBits() uint64 { return uint64(e) >> 8 & 15 }
func (e entry) value() uint64    { return uint64(e) >> valueAt }

const valueAt = 16

const (
	maxCodeBits = 15 // RFC 1951 §3.2.7

	literalBits  = 11
	distanceBits = 8
	preBits      = 7 // all that a code of code lengths can have

	// Behind the table of all short codes there is room for those of the longer ones: a table has at least two codes, and so there are
	// not more of them than half of the codes.
	literalTable  = 1<<literalBits + maxLiterals/2*(1<<(maxCodeBits-literalBits))
	distanceTable = 1<<distanceBits + maxDistances/2*(1<<(maxCodeBits-distanceBits))
	preTable      = 1 << preBits

	maxLiterals  = 288 // two of them only in the fixed code, and not to be used
	maxDistances = 32  // the same
	preCodes     = 19
	endOfBlock   = 256
)

// What codes mean: the entries of RFC 1951 §3.2.5, without the bits of their codes.
var (
	literalMeaning  = newLiterals()
	distanceMeaning = newDistances()
	preMeaning      = newLengths()
)

func newLiterals() (t [maxLiterals]entry) {
	for i := range 256 {
		t[i] = isLiteral | entry(i)<<16
	}
	t[endOfBlock] = isOther | isEnd
	// Lengths of 3 to 10 have no extra bits, then there are four codes for each number of them; 258 has a code of its own.
	base, extra := 3, 0
	for i := 257; i < 285; i++ {
		if i >= 265 {
			extra = (i - 261) / 4
		}
		t[i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	t[285] = entry(258) << 16
	t[286], t[287] = isOther, isOther
	return t
}

func newDistances() (t [maxDistances]entry) {
	base, extra := 1, 0
	for i := range 30 {
		if i >= 4 {
			extra = i/2 - 1
		}
		t[i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	t[30], t[31] = isOther, isOther
	return t
}

// newLengths are the codes of code lengths: 0 to 15 are lengths, the others repeat (RFC 1951 §3.2.7).
func newLengths() (t [preCodes]entry) {
	for i := range t {
		t[i] = entry(i) << 16
	}
	return t
}

// build fills a table for codes of these lengths, in bits, and reports whether that is a code: no two the same, and none missing. As zlib has
// it, no codes at all are a code, and so is a single one of one bit if single says so; what is missing is isOther then.
func build(table []entry, indexBits int, meaning []entry, codeLengths []uint8, single bool) bool {
	var count [maxCodeBits + 1]int
	for _, n := range codeLengths {
		count[n]++
	}
	longest := maxCodeBits
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	left := 1
	for n := 1; n <= longest; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
	}
	if left > 0 && longest > 0 && !(single && longest == 1) {
		return false
	}
	if left > 0 {
		for i := range table[:1<<indexBits] {
			table[i] = isOther | 1
		}
		if longest == 0 {
			return true
		}
	}
	// Symbols by the length of their codes, and then in their own order, which is that of the codes.
	var next [maxCodeBits + 2]int
	for n := 1; n <= longest; n++ {
		next[n+1] = next[n] + count[n]
	}
	var sorted [maxLiterals]uint16
	for symbol, n := range codeLengths {
		if n > 0 {
			sorted[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	code, at := uint16(0), 0
	for n := 1; n <= min(longest, indexBits); n++ {
		// The table so far is right for one bit more, whatever that bit is; what it lacks are the codes that begin here.
		if n > 1 {
			copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		}
		for range count[n] {
			symbol := sorted[at]
			table[bits.Reverse16(code)>>(16-n)] = meaning[symbol] + entry(n)<<8 + entry(n)
			at++
			code++
		}
		code <<= 1
	}
	for n := longest; n < indexBits; n++ {
		copy(table[1<<n:1<<(n+1)], table[:1<<n])
	}
	more := longest - indexBits
	end := 1 << indexBits
	for n := indexBits + 1; n <= longest; n++ {
		for range count[n] {
			symbol := sorted[at]
			reversed := int(bits.Reverse16(code) >> (16 - n))
			link := &table[reversed&(1<<indexBits-1)]
			if reversed>>indexBits == 0 {
				*link = isOther | isLink | entry(end)<<16 | entry(more)<<8 | entry(indexBits)
				end += 1 << more
			}
			start := int(link.value())
			rest := n - indexBits
			e := meaning[symbol] + entry(rest)<<8 + entry(rest)
			for i := reversed >> indexBits; i < 1<<more; i += 1 << rest {
				table[start+i] = e
			}
			at++
			code++
		}
		code <<= 1
	}
	return true
}

// tables are those of one code.
type tables struct {
	literals  [literalTable]entry
	distances [distanceTable]entry
}

// fixedTables are those of the code that streams need not bring, RFC 1951 §3.2.6.
var fixedTables = sync.OnceValue(func() *tables {
	var codes [maxLiterals]uint8
	for i := range codes {
		switch {
		case i < 144:
			codes[i] = 8
		case i < 256:
			codes[i] = 9
		case i < 280:
			codes[i] = 7
		default:
			codes[i] = 8
		}
	}
	var far [maxDistances]uint8
	for i := range far {
		far[i] = 5
	}
	var t tables
	if !build(t.literals[:], literalBits, literalMeaning[:], codes[:], false) || !build(t.distances[:], distanceBits, distanceMeaning[:], far[:], false) {
		panic("the fixed code is one")
	}
	return &t
})
