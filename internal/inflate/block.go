package inflate

import "io"

// beginBlock reads the head of a block, RFC 1951 §3.2.3.
func (r *Reader) beginBlock() error {
	if err := r.more(); err != nil {
		return err
	}
	r.blockAt = r.at()
	r.refill()
	r.final = r.take(1) == 1
	switch r.take(2) {
	case 0:
		return r.beginStored()
	case 1:
		fixed := fixedTables()
		r.literals, r.distances = &fixed.literals, &fixed.distances
	case 2:
		if err := r.readTables(); err != nil {
			return err
		}
		r.literals, r.distances = &r.own.literals, &r.own.distances
	default:
		return r.corrupt("a block of a type that is none")
	}
	r.state = inCodes
	return nil
}

func (r *Reader) beginStored() error {
	r.take(r.count % 8)
	n := r.take(16)
	if r.take(16) != ^n&0xffff {
		return r.corrupt("a stored block with a length that is none")
	}
	r.unread()
	r.stored, r.state = int(n), inStored
	return nil
}

func (r *Reader) copyStored() error {
	if r.stored == 0 {
		r.state = atBlock
		return nil
	}
	if r.pos >= r.real {
		if err := r.more(); err != nil {
			return err
		}
	}
	if r.pos >= r.real {
		return io.ErrUnexpectedEOF
	}
	room := min(r.stored, outSize-r.written)
	n := copy(r.out[r.written:r.written+room], r.in[r.pos:r.real])
	r.pos += n
	r.written += n
	r.stored -= n
	return nil
}

// preOrder is that in which the lengths of the codes of code lengths come, RFC 1951 §3.2.7.
var preOrder = [preCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readTables reads the codes of a block that brings its own, RFC 1951 §3.2.7.
func (r *Reader) readTables() error {
	nLiterals, nDistances, nPre := int(r.take(5))+257, int(r.take(5))+1, int(r.take(4))+4
	if nLiterals > maxLiterals-2 || nDistances > maxDistances-2 {
		return r.corrupt("more codes than there are lengths or distances")
	}
	var pre [preCodes]uint8
	for i := range nPre {
		if i%16 == 0 {
			if err := r.more(); err != nil {
				return err
			}
			r.refill()
		}
		pre[preOrder[i]] = uint8(r.take(3))
	}
	if !build(r.pre[:], preBits, preMeaning[:], pre[:], false) {
		return r.corrupt("the codes of code lengths are no code")
	}
	codes := r.lengths[:nLiterals+nDistances]
	for at := 0; at < len(codes); {
		if err := r.more(); err != nil {
			return err
		}
		r.refill()
		e := r.pre[r.buf&(preTable-1)]
		if e&isOther != 0 {
			return r.corrupt("a code length that is none")
		}
		r.take(e.bits())
		length, times := e.value(), uint64(1)
		switch length {
		case 16:
			if at == 0 {
				return r.corrupt("the first code length repeats the one before")
			}
			length, times = uint64(codes[at-1]), 3+r.take(2)
		case 17:
			length, times = 0, 3+r.take(3)
		case 18:
			length, times = 0, 11+r.take(7)
		}
		if times > uint64(len(codes)-at) {
			return r.corrupt("more code lengths than codes")
		}
		for range times {
			codes[at] = uint8(length)
			at++
		}
	}
	switch {
	case codes[endOfBlock] == 0:
		return r.corrupt("a block that cannot end")
	case !build(r.own.literals[:], literalBits, literalMeaning[:], codes[:nLiterals], true):
		return r.corrupt("the codes of bytes and lengths are no code")
	case !build(r.own.distances[:], distanceBits, distanceMeaning[:], codes[nLiterals:], true):
		return r.corrupt("the codes of distances are no code")
	}
	return nil
}
