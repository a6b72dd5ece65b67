package inflate

import (
	"encoding/binary"
	"errors"
)

const (
	maxMatch        = 258
	maxDistanceBits = maxCodeBits + 13

	// outSlack is how much a round of the inner loop writes at the most: two bytes and a match, in words of which the last reach beyond it.
	outSlack = 2 + maxMatch + 16
)

// decode decodes codes until the block ends or there is no more room.
func (r *Reader) decode() error {
	for r.written <= outSize-outSlack {
		if err := r.more(); err != nil {
			return err
		}
		switch err := r.rounds(); err {
		case nil:
		case errEnd:
			r.state = atBlock
			return nil
		case errCode:
			return r.corrupt("a code that is none")
		default:
			return r.corrupt("a distance to before the content")
		}
	}
	return nil
}

// Why rounds ends before there is no more input or room.
var (
	errEnd      = errors.New("the block ends")
	errCode     = errors.New("there is no such code")
	errDistance = errors.New("there is nothing so far back")
)

// rounds decodes until what is left of the input or of the room is not enough for another round. What it works with are local variables, so
// that they are registers. At the begin of a round count is at least 56, and e is what the next bits mean: it is looked up before the match that
// precedes it is copied, as both take their time.
func (r *Reader) rounds() (err error) {
	in, out := r.in[:r.end], &r.out
	literals, distances := r.literals, r.distances
	w := r.written
	buf, count, pos := refill(in, r.buf, r.count, r.pos)
	last := len(in) - inSlack
	e := literals[buf&(1<<literalBits-1)]
loop:
	for pos <= last && w <= outSize-outSlack {
		// Up to two bytes of 11 bits each, and then a byte or length.
		if e&isLiteral != 0 {
			out[w] = byte(e >> valueAt)
			w++
			buf >>= e.bits()
			count -= e.bits()
			e = literals[buf&(1<<literalBits-1)]
			if e&isLiteral != 0 {
				out[w] = byte(e >> valueAt)
				w++
				buf >>= e.bits()
				count -= e.bits()
				e = literals[buf&(1<<literalBits-1)]
			}
		}
		if e&isLink != 0 {
			buf >>= e.bits()
			count -= e.bits()
			e = literals[e.value()+buf&(1<<e.codeBits()-1)]
		}
		if e&isLiteral != 0 {
			out[w] = byte(e >> valueAt)
			w++
			buf >>= e.bits()
			count -= e.bits()
			buf, count, pos = refill(in, buf, count, pos)
			e = literals[buf&(1<<literalBits-1)]
			continue
		}
		if e&isOther != 0 {
			err = errCode
			if e&isEnd != 0 {
				buf >>= e.bits()
				count -= e.bits()
				err = errEnd
			}
			break loop
		}
		length := int(e.value() + buf&(1<<e.bits()-1)>>e.codeBits())
		buf >>= e.bits()
		count -= e.bits()

		if count < maxDistanceBits {
			buf, count, pos = refill(in, buf, count, pos)
		}
		e = distances[buf&(1<<distanceBits-1)]
		if e&isLink != 0 {
			buf >>= e.bits()
			count -= e.bits()
			e = distances[e.value()+buf&(1<<e.codeBits()-1)]
		}
		if e&isOther != 0 {
			err = errCode
			break loop
		}
		distance := int(e.value() + buf&(1<<e.bits()-1)>>e.codeBits())
		buf >>= e.bits()
		count -= e.bits()
		from := w - distance
		if from < 0 {
			err = errDistance
			break loop
		}
		buf, count, pos = refill(in, buf, count, pos)
		e = literals[buf&(1<<literalBits-1)]

		end := w + length
		switch {
		case distance >= 8:
			for w < end {
				binary.LittleEndian.PutUint64(out[w:w+8], binary.LittleEndian.Uint64(out[from:from+8]))
				binary.LittleEndian.PutUint64(out[w+8:w+16], binary.LittleEndian.Uint64(out[from+8:from+16]))
				w += 16
				from += 16
			}
		case distance == 1:
			word := uint64(out[from]) * 0x0101010101010101
			for w < end {
				binary.LittleEndian.PutUint64(out[w:w+8], word)
				w += 8
			}
		default:
			for w < end {
				out[w] = out[from]
				w++
				from++
			}
		}
		w = end
	}
	r.buf, r.count, r.pos, r.written = buf, count, pos, w
	return err
}
