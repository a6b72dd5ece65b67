package wheel

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"vpk/internal/fault"
	"vpk/internal/inflate"
)

// memberReader inflates a member of the cache and checks size and CRC-32 at the end. The archive was proved when it
// came: a difference means that the cache was damaged since, and discards it.
type memberReader struct {
	member   Member
	inflater *inflate.Reader // nil for stored members and after Close
	content  io.Reader
	crc      uint32
	read     int64
	err      error
}

func newMemberReader(m Member, raw io.Reader) io.ReadCloser {
	r := &memberReader{member: m, content: raw}
	if m.info.Deflated {
		r.inflater = inflaters.Get().(*inflate.Reader)
		r.inflater.Reset(raw)
		r.content = r.inflater
	}
	return r
}

// Read implements io.Reader.
func (r *memberReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.content.Read(p)
	r.crc = crc32.Update(r.crc, crc32.IEEETable, p[:n])
	r.read += int64(n)
	info := r.member.info
	switch {
	case r.read > info.Size:
		// Nothing of what is too much goes out.
		n -= int(r.read - info.Size)
		r.err = r.damaged(errors.New("it is too long"))
	case err == io.EOF && r.read < info.Size:
		r.err = r.damaged(errors.New("it is too short"))
	case err == io.EOF && r.crc != info.CRC32:
		r.err = r.damaged(errors.New("its CRC-32 is wrong"))
	case err == io.EOF:
		r.err = io.EOF
	case err != nil:
		err = inflateError(err)
		if bad := (*memberError)(nil); errors.As(err, &bad) {
			r.err = r.damaged(err)
		} else {
			r.err = fmt.Errorf("read member %q of wheel %q: %w", info.Name, r.member.wheel.Filename, err)
		}
	}
	return n, r.err
}

// damaged discards the wheel from the cache.
func (r *memberReader) damaged(why error) error {
	w := r.member.wheel
	err := fault.New(fault.Integrity, "it was removed from the cache: run the command again",
		"member %q of wheel %q was damaged in the cache: %w", r.member.info.Name, w.Filename, why)
	return errors.Join(err, w.archive.discard())
}

// Close implements io.Closer.
func (r *memberReader) Close() error {
	if r.inflater != nil {
		inflaters.Put(r.inflater)
		r.inflater = nil
	}
	r.content = nil
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	return nil
}
