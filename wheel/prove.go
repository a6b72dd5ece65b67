package wheel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"vpk/internal/inflate"
)

const (
	methodStored  = 0
	methodDeflate = 8

	// spliceFrom is the size from which the positions of the last block are recorded. Nothing smaller is worth splicing
	// (spec containers §5: the best threshold is 32 KiB).
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

var (
	inflaters = sync.Pool{New: func() any { return inflate.NewReader() }}
	chunks    = sync.Pool{New: func() any { return new([chunkSize]byte) }}
)

// proveMember inflates one member and compares it with what the archive claims.
func (x *indexing) proveMember(ctx context.Context, h *header) (Info, error) {
	info := Info{
		Name: h.name, Executable: h.executable, Deflated: h.method == methodDeflate,
		Offset: h.offset, Compressed: h.compressed, Size: h.size, CRC32: h.crc,
	}
	raw := io.NewSectionReader(x.archive, h.offset, h.compressed)
	var content io.Reader = raw
	var deflated *inflate.Reader
	if info.Deflated {
		deflated = inflaters.Get().(*inflate.Reader)
		defer inflaters.Put(deflated)
		deflated.Reset(raw)
		content = deflated
	}
	p := proof{claim: h, crc: crc32.NewIEEE(), sha: sha256.New(), scratch: x.scratch}
	defer p.close()
	if err := p.read(ctx, content); err != nil {
		return Info{}, err
	}
	p.sha.Sum(info.SHA256[:0])
	info.ELF = p.elf()
	if deflated != nil && h.size >= spliceFrom {
		if last, end := deflated.LastBlock(); (end+7)/8 == h.compressed {
			info.LastBlock, info.End = last, end
		}
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
	var corrupt *inflate.CorruptError
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
