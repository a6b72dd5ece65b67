package inflate

import (
	"encoding/binary"
	"io"
)

// inSlack is how much of the input a round of the inner loop looks at, at the most: three times it adds up to seven bytes to buf, for which it
// looks at eight.
const inSlack = 3 * 8

// input is a stream, of which the next bits are at hand.
type input struct {
	src    io.Reader
	srcErr error // what the last read from src said

	in   [inSize]byte
	base int64 // where in the stream in begins
	real int   // how much of in is of the stream
	end  int   // how much of in may be looked at: what is real or, once src has ended, zeros behind it too
	pos  int   // what of in is in buf already

	// The lowest count bits of buf are the next bits of the stream, the first is the lowest. Those above them are the bits that follow
	// them, or zeros, and are counted when they are read again.
	buf, count uint64
}

func (i *input) reset(src io.Reader) {
	i.src, i.srcErr = src, nil
	i.base, i.real, i.end, i.pos = 0, 0, 0, 0
	i.buf, i.count = 0, 0
}

// at is where the next bit is in the stream.
func (i *input) at() int64 { return (i.base+int64(i.pos))*8 - int64(i.count) }

// overrun reports whether more bits were taken than the stream has.
func (i *input) overrun() bool { return i.srcErr == io.EOF && i.pos-int(i.count/8) > i.real }

// more makes sure that a round's input may be looked at, and reads more of the stream if need be.
func (i *input) more() error {
	if i.end-i.pos >= inSlack {
		return nil
	}
	if i.srcErr == nil {
		i.unread()
		i.base += int64(i.pos)
		i.real, i.pos = copy(i.in[:], i.in[i.pos:i.real]), 0
		var n int
		n, i.srcErr = io.ReadAtLeast(i.src, i.in[i.real:inSize-3*inSlack], 2*inSlack)
		i.real += n
		i.end = i.real
		switch i.srcErr {
		case nil:
			return nil
		case io.EOF, io.ErrUnexpectedEOF:
			i.srcErr = io.EOF
			clear(i.in[i.real:])
		}
	}
	if i.srcErr != io.EOF {
		return i.srcErr
	}
	if i.overrun() {
		return io.ErrUnexpectedEOF
	}
	i.end = i.pos + 2*inSlack // still within in
	return nil
}

// unread forgets the whole bytes in buf, which are the next to be read again.
func (i *input) unread() {
	i.pos -= int(i.count / 8)
	i.count %= 8
	i.buf &= 1<<i.count - 1
}

// refill makes count at least 56. more must have been called.
func (i *input) refill() { i.buf, i.count, i.pos = refill(i.in[:], i.buf, i.count, i.pos) }

// refill is for variables that are registers.
func refill(in []byte, buf, count uint64, pos int) (uint64, uint64, int) {
	return buf | binary.LittleEndian.Uint64(in[pos:])<<(count&63), count | 56, pos + int((63-count)>>3)
}

// take takes up to 32 bits.
func (i *input) take(n uint64) uint64 {
	v := i.buf & (1<<n - 1)
	i.buf >>= n
	i.count -= n
	return v
}
