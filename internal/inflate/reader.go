package inflate

import (
	"fmt"
	"io"
)

const (
	window  = 32 << 10  // how far back a match may reach, RFC 1951 §2
	outSize = 256 << 10 // of the buffer that content is written to, the window included
	inSize  = 64 << 10  // of the buffer that the stream is read into
)

// CorruptError says that a stream is no DEFLATE stream.
type CorruptError struct {
	Offset int64 // of a byte near the fault, in the stream
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt deflate stream near byte %d: %s", e.Offset, e.Reason)
}

// Reader inflates streams, one after the other. To make one costs more than to inflate a small stream: use it again. It is not safe for
// concurrent use.
type Reader struct {
	input
	out     [outSize]byte
	written int    // of out
	given   int    // of out, to the caller
	pending []byte // of Read: given by next and not yet taken
	err     error  // sticky

	state   state
	final   bool  // the block is the last one
	stored  int   // bytes that a stored block still has
	blockAt int64 // where the block begins, in bits
	endAt   int64 // where the stream ends

	literals  *[literalTable]entry // of the block
	distances *[distanceTable]entry
	own       tables // for blocks that bring theirs
	pre       [preTable]entry
	lengths   [maxLiterals + maxDistances]uint8
}

// state is what comes next in the stream.
type state uint8

const (
	atBlock state = iota
	inStored
	inCodes
)

// NewReader makes a Reader. Reset gives it a stream; before that, it is at the end of one.
func NewReader() *Reader { return &Reader{err: io.EOF} }

// Reset begins with another stream. What follows the stream in src may be read as well.
func (r *Reader) Reset(src io.Reader) {
	r.input.reset(src)
	r.written, r.given, r.pending, r.err = 0, 0, nil, nil
	r.state, r.final, r.blockAt, r.endAt = atBlock, false, 0, 0
}

// LastBlock tells where the last block of the stream begins and ends, in bits from the begin of the stream. Both are 0 before io.EOF.
func (r *Reader) LastBlock() (begin, end int64) {
	if r.err != io.EOF {
		return 0, 0
	}
	return r.blockAt, r.endAt
}

// next gives the next piece of the content, which is valid until it is called again.
func (r *Reader) next() ([]byte, error) {
	if r.written > outSize-outSlack {
		r.written = copy(r.out[:], r.out[r.written-window:r.written])
		r.given = r.written
	}
	for r.err == nil && r.written == r.given {
		r.err = r.step()
	}
	if r.written == r.given {
		return nil, r.err
	}
	piece := r.out[r.given:r.written]
	r.given = r.written
	return piece, nil
}

// Read implements io.Reader. Its errors are io.EOF at the end of the stream, io.ErrUnexpectedEOF where src ends before that, *CorruptError, and
// those of src.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.pending) == 0 {
		piece, err := r.next()
		if err != nil {
			return 0, err
		}
		r.pending = piece
	}
	n := copy(p, r.pending)
	r.pending = r.pending[n:]
	return n, nil
}

// step goes on to the next block, or with this one until it ends or there is no more room.
func (r *Reader) step() (err error) {
	switch r.state {
	case inStored:
		err = r.copyStored()
	case inCodes:
		err = r.decode()
	default:
		if r.final {
			r.endAt = r.at()
			return io.EOF
		}
		err = r.beginBlock()
	}
	if r.overrun() {
		r.written = r.given // what the zeros behind the stream seemed to say
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) corrupt(reason string) error {
	return &CorruptError{Offset: r.at() / 8, Reason: reason}
}
