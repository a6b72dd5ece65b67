package wheel

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	methodStored  = 0
	methodDeflate = 8

	// spliceFrom is the size from which the positions of the last block are recorded. Nothing smaller is worth splicing
	// (spec containers §5: the best threshold is 32 KiB), and to report them costs an inflater of its own.
	spliceFrom = 16 << 10

	chunkSize = 64 << 10
)

// methodName names the methods that occur in the wild (APPNOTE.TXT 6.3.10, section 4.4.5).
func methodName(method uint16) string {
	names := map[uint16]string{
		1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "lzma", 20: "old zstd", 93: "zstd", 95: "xz", 98: "ppmd", 99: "encryption",
	}
	if name, ok := names[method]; ok {
		return name
	}
	return "unknown"
}

// memberError is what is wrong with a member, as opposed to the machine.
type memberError struct{ err error }

func (e *memberError) Error() string { return e.err.Error() }
func (e *memberError) Unwrap() error { return e.err }

func badMember(format string, args ...any) error { return &memberError{fmt.Errorf(format, args...)} }

// inflater is a decompressor that is used again and again: to make one costs more than to inflate most members.
type inflater struct {
	in  *bufio.Reader
	out io.Reader
}

// reset starts to inflate another member.
func (f *inflater) reset(raw io.Reader) error {
	f.in.Reset(raw)
	return f.out.(flate.Resetter).Reset(f.in, nil)
}

var (
	inflaters = sync.Pool{New: func() any {
		in := bufio.NewReaderSize(nil, chunkSize/2)
		return &inflater{in: in, out: flate.NewReader(in)}
	}}
	chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}
)

// blockEnds notes where the last block of a deflate stream begins and ends, in bits.
//
// The positions that klauspost/compress 1.20.3 reports are too great after stored blocks: dataBlock counts whole bytes
// twice that it had read ahead. What was really consumed shows by how much: a Huffman block ends at or before the last
// byte consumed, so a position beyond it can only be that of a stored block, which ends right there.
type blockEnds struct {
	raw *io.SectionReader
	in  *bufio.Reader // over raw

	excess              int64 // bits that were counted twice
	previous, last, end int64
}

func (b *blockEnds) note(c flate.InflateCheckpoint) {
	position, err := b.raw.Seek(0, io.SeekCurrent)
	if err != nil {
		return // a SectionReader can always tell
	}
	consumed := 8 * (position - int64(b.in.Buffered()))
	at := c.CompressedOffset*8 + int64(c.BitOffset) - b.excess
	if at > consumed {
		b.excess += at - consumed
		at = consumed
	}
	if c.Final {
		b.last, b.end = b.previous, at
	}
	b.previous = at
}

// proveMember inflates one member and compares it with what the archive claims.
func (x *indexing) proveMember(ctx context.Context, h *header) (Info, error) {
	info := Info{
		Name: h.name, Executable: h.executable, Deflated: h.method == methodDeflate,
		Offset: h.offset, Compressed: h.compressed, Size: h.size, CRC32: h.crc,
	}
	raw := io.NewSectionReader(x.archive, h.offset, h.compressed)
	var content io.Reader = raw
	var blocks blockEnds
	if info.Deflated {
		f := inflaters.Get().(*inflater)
		defer inflaters.Put(f)
		if err := f.reset(raw); err != nil {
			return Info{}, err
		}
		content = f.out
		if h.size >= spliceFrom {
			// The callback does not survive a Reset, so this one is not used again.
			blocks.raw, blocks.in = raw, f.in
			content = flate.NewReaderOpts(f.in, flate.WithEobCallback(blocks.note))
		}
	}
	p := proof{claim: h, crc: crc32.NewIEEE(), sha: sha256.New(), scratch: x.scratch}
	defer p.close()
	if err := p.read(ctx, content); err != nil {
		return Info{}, err
	}
	p.sha.Sum(info.SHA256[:0])
	info.ELF = p.elf()
	if blocks.end > 0 && (blocks.end+7)/8 == h.compressed {
		info.LastBlock, info.End = blocks.last, blocks.end
	}
	return info, nil
}

// proof is the reading of one member.
type proof struct {
	claim *header
	crc   interface {
		io.Writer
		Sum32() uint32
	}
	sha interface {
		io.Writer
		Sum([]byte) []byte
	}
	scratch func() (*os.File, error)
	file    *os.File // the content of an ELF member
}

// read inflates to the end.
func (p *proof) read(ctx context.Context, content io.Reader) error {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fill(content, chunk[:])
		data := chunk[:n]
		if total == 0 && bytes.HasPrefix(data, []byte("\x7fELF")) {
			var err error
			if p.file, err = p.scratch(); err != nil {
				return fmt.Errorf("read libraries of member %q: %w", p.claim.name, err)
			}
		}
		if total += int64(n); total > p.claim.size {
			return badMember("it is larger than the %d bytes it claims", p.claim.size)
		}
		_, _ = p.crc.Write(data)
		_, _ = p.sha.Write(data)
		if p.file != nil {
			if _, err := p.file.Write(data); err != nil {
				return fmt.Errorf("read libraries of member %q: %w", p.claim.name, err)
			}
		}
		switch {
		case err == nil:
		case err == io.EOF && total < p.claim.size:
			return badMember("it has %d bytes and claims %d", total, p.claim.size)
		case err == io.EOF && p.crc.Sum32() != p.claim.crc:
			return badMember("its CRC-32 is %08x and claims to be %08x", p.crc.Sum32(), p.claim.crc)
		case err == io.EOF:
			return nil
		default:
			return inflateError(err)
		}
	}
}

// inflateError tells damaged data from a disk that cannot be read.
func inflateError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badMember("its compressed data is damaged: %w", err)
	}
	return fmt.Errorf("read archive: %w", err)
}

// fill reads until the buffer is full, so that the first bytes of a member come together.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	return n, err
}

// elf reads the facts of an ELF member. What begins like one and is none has no facts.
func (p *proof) elf() *ELF {
	if p.file == nil {
		return nil
	}
	return readELF(p.file, p.claim.size)
}

func (p *proof) close() {
	if p.file != nil {
		_ = p.file.Close()
		_ = os.Remove(p.file.Name())
	}
}
