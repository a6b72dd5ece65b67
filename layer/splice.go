package layer

import (
	"bytes"
	"io"

	"vpk/venv/tree"
)

// spliced is how many bytes a stream has after splice.
func spliced(d tree.Deflate) int64 { return d.Size + int64(len(alignment(d.End))) }

// alignment is what follows a stream whose last block ends before the bit end, so that the next block can begin at a byte: an empty
// stored block (RFC 1951 §3.2.4), whose three bits of header are the zeros that fill the last byte where it has three to spare.
// Nothing is needed where the block ends with the byte.
func alignment(end int64) []byte {
	stored := []byte{0, 0, 0, 0xff, 0xff}
	switch free := -end & 7; {
	case free == 0:
		return nil
	case free >= 3:
		return stored[1:]
	default:
		return stored
	}
}

// splice makes a deflate stream one that others can follow: its last block becomes one like all others, and it ends at a byte.
func splice(raw io.Reader, d tree.Deflate) io.Reader {
	return io.MultiReader(&continued{raw: raw, stream: d}, bytes.NewReader(alignment(d.End)))
}

// continued clears the bit of the last block that says that it is the last, and what fills the last byte.
type continued struct {
	raw    io.Reader
	stream tree.Deflate
	at     int64
}

func (c *continued) Read(p []byte) (int, error) {
	n, err := c.raw.Read(p)
	if i := c.stream.LastBlock/8 - c.at; 0 <= i && i < int64(n) {
		p[i] &^= 1 << (c.stream.LastBlock % 8)
	}
	if i := c.stream.End/8 - c.at; 0 <= i && i < int64(n) {
		p[i] &= 1<<(c.stream.End%8) - 1
	}
	c.at += int64(n)
	return n, err
}
