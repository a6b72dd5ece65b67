package wheel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf8"
)

// Signatures and fixed sizes of the zip format (APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16).
const (
	localSignature      = 0x04034b50
	centralSignature    = 0x02014b50
	endSignature        = 0x06054b50
	end64Signature      = 0x06064b50
	locator64Signature  = 0x07064b50
	descriptorSignature = 0x08074b50

	localSize     = 30
	centralSize   = 46
	endSize       = 22
	end64Size     = 56
	locator64Size = 20
)

// Flags of both headers.
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagPatch      = 1 << 5
	flagStrong     = 1 << 6
	flagUTF8       = 1 << 11
	flagMasked     = 1 << 13
)

const (
	extraZip64       = 0x0001
	extraUnicodePath = 0x7075

	full16 = 0xffff
	full32 = 0xffffffff

	creatorUnix = 3
)

// header is one entry of the central directory.
type header struct {
	name       string
	flags      uint16
	method     uint16
	crc        uint32
	compressed int64 // bytes in the archive
	size       int64 // bytes when inflated
	offset     int64 // of the local header; after checkLocal of the data
	executable bool
}

// isDir says whether the entry is a directory: by its name alone, as all readers of wheels see it.
func (h *header) isDir() bool { return h.name != "" && h.name[len(h.name)-1] == '/' }

// readDirectory reads the central directory of an archive. start is where it begins: no member may reach beyond it.
func readDirectory(archive io.ReaderAt, size int64) (headers []header, start int64, err error) {
	end, err := findEnd(archive, size)
	if err != nil {
		return nil, 0, err
	}
	if end.count > maxMembers {
		return nil, 0, fmt.Errorf("it has %d members, at most %d are accepted", end.count, maxMembers)
	}
	if end.size > maxDirectory {
		return nil, 0, fmt.Errorf("its central directory has %d bytes, at most %d are accepted", end.size, maxDirectory)
	}
	data := make([]byte, end.size)
	if err := readAt(archive, data, end.offset); err != nil {
		return nil, 0, fmt.Errorf("read central directory: %w", err)
	}
	headers = make([]header, 0, end.count)
	for len(data) > 0 {
		h, rest, err := parseCentral(data)
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d of the central directory: %w", len(headers)+1, err)
		}
		headers, data = append(headers, h), rest
	}
	if int64(len(headers)) != end.count {
		return nil, 0, fmt.Errorf("the central directory has %d entries and claims %d", len(headers), end.count)
	}
	return headers, end.offset, nil
}

// directoryEnd is what the end records say of the central directory.
type directoryEnd struct{ offset, size, count int64 }

// findEnd reads the end record, and the zip64 one where there is one.
func findEnd(archive io.ReaderAt, size int64) (directoryEnd, error) {
	// The record may be followed by a comment of 64 KiB and by as many NULs.
	tail := make([]byte, min(size, locator64Size+endSize+2*full16))
	tailStart := size - int64(len(tail))
	if err := readAt(archive, tail, tailStart); err != nil {
		return directoryEnd{}, fmt.Errorf("read end of the archive: %w", err)
	}
	at := bytes.LastIndex(tail, binary.LittleEndian.AppendUint32(nil, endSignature))
	if at < 0 || len(tail)-at < endSize {
		return directoryEnd{}, errors.New("it is not a zip archive, or not whole: the end record is missing")
	}
	f := fields(tail[at+4:])
	disk, directoryDisk, diskCount := f.u16(), f.u16(), f.u16()
	end := directoryEnd{count: int64(f.u16()), size: int64(f.u32()), offset: int64(f.u32())}
	after := tail[at+endSize:]
	comment := int(f.u16())
	if comment > len(after) || len(bytes.Trim(after[comment:], "\x00")) > 0 {
		return directoryEnd{}, errors.New("the end record is not at the end: bytes follow it, or its comment is cut off")
	}
	if bytes.ContainsFunc(after[:comment], func(r rune) bool { return r >= 1 && r <= 8 }) {
		return directoryEnd{}, errors.New("the comment holds what could be a record of the archive")
	}
	endAt := tailStart + int64(at)
	if at >= locator64Size && binary.LittleEndian.Uint32(tail[at-locator64Size:]) == locator64Signature {
		var err error
		if end, endAt, err = findEnd64(archive, endAt-locator64Size, tail[at-locator64Size:at], end); err != nil {
			return directoryEnd{}, err
		}
		if diskCount == full16 {
			diskCount = uint16(min(end.count, full16))
		}
	}
	if disk != 0 || directoryDisk != 0 || int64(diskCount) != min(end.count, full16) {
		return directoryEnd{}, errors.New("it is a part of an archive of several files")
	}
	if end.offset > endAt || end.offset+end.size != endAt {
		return directoryEnd{}, errors.New("the central directory is not where the end record says")
	}
	return end, nil
}

// findEnd64 reads the zip64 end record, which lies right before its locator, and gives its place. What the plain record
// says, unless it refers to this one, must be the same.
func findEnd64(archive io.ReaderAt, locatorAt int64, locator []byte, plain directoryEnd) (directoryEnd, int64, error) {
	fail := errors.New("the zip64 end record is malformed")
	f := fields(locator[4:])
	disk, at, disks := f.u32(), f.u64(), f.u32()
	if disk != 0 || disks != 1 || locatorAt < end64Size || at != uint64(locatorAt-end64Size) {
		return plain, 0, fail
	}
	record := make([]byte, end64Size)
	if err := readAt(archive, record, int64(at)); err != nil {
		return plain, 0, fmt.Errorf("read zip64 end record: %w", err)
	}
	f = fields(record)
	signature, length := f.u32(), f.u64()
	f.skip(4) // versions
	disk, directoryDisk, diskCount := f.u32(), f.u32(), f.u64()
	count, size, offset := f.u64(), f.u64(), f.u64()
	const limit = 1 << 62
	if signature != end64Signature || length != end64Size-12 || disk != 0 || directoryDisk != 0 || diskCount != count ||
		count > limit || size > limit || offset > limit {
		return plain, 0, fail
	}
	end := directoryEnd{offset: int64(offset), size: int64(size), count: int64(count)}
	if plain.count != full16 && plain.count != end.count || plain.size != full32 && plain.size != end.size ||
		plain.offset != full32 && plain.offset != end.offset {
		return plain, 0, errors.New("the two end records disagree")
	}
	return end, int64(at), nil
}

// parseCentral reads the first entry of data.
func parseCentral(data []byte) (header, []byte, error) {
	if len(data) < centralSize || binary.LittleEndian.Uint32(data) != centralSignature {
		return header{}, nil, errors.New("it is malformed")
	}
	f := fields(data[4:])
	madeBy := f.u16()
	f.skip(2)
	h := header{flags: f.u16(), method: f.u16()}
	f.skip(4) // time and date
	h.crc = f.u32()
	compressed, size := f.u32(), f.u32()
	nameLen, extraLen, commentLen := int(f.u16()), int(f.u16()), int(f.u16())
	disk := f.u16()
	f.skip(2)
	external, offset := f.u32(), f.u32()
	if len(f) < nameLen+extraLen+commentLen {
		return header{}, nil, errors.New("it is cut off")
	}
	h.name = string(f[:nameLen])
	h.executable = madeBy>>8 == creatorUnix && external>>16&0o111 != 0
	x, err := parseExtra(f[nameLen:nameLen+extraLen], h.name)
	if err == nil {
		h.size, h.compressed, h.offset, err = x.sizes(size, compressed, offset)
	}
	if err == nil && disk != 0 {
		err = errors.New("it lies on another disk")
	}
	if err != nil {
		return header{}, nil, fmt.Errorf("%q: %w", h.name, err)
	}
	return h, f[nameLen+extraLen+commentLen:], nil
}

// extra is what of an extra field matters.
type extra struct {
	zip64    fields
	hasZip64 bool
}

// parseExtra reads an extra field. A second name, which some readers prefer, must be the first.
func parseExtra(data []byte, name string) (extra, error) {
	var x extra
	f := fields(data)
	for len(f) >= 4 {
		id, n := f.u16(), int(f.u16())
		if n > len(f) {
			return x, errors.New("its extra field is malformed")
		}
		body := f[:n]
		f = f[n:]
		switch id {
		case extraZip64:
			if x.hasZip64 {
				return x, errors.New("its extra field has two sets of zip64 sizes")
			}
			x.zip64, x.hasZip64 = body, true
		case extraUnicodePath:
			const versionAndCRC = 5
			if len(body) < versionAndCRC || string(body[versionAndCRC:]) != name ||
				binary.LittleEndian.Uint32(body[1:]) != crc32.ChecksumIEEE([]byte(name)) || !utf8.ValidString(name) {
				return x, errors.New("its extra field gives it another name")
			}
		}
	}
	return x, nil
}

// sizes gives the true values of the three 32-bit fields, each of which may refer to the zip64 extra field.
func (x extra) sizes(size, compressed, offset uint32) (s, c, o int64, err error) {
	for _, field := range []struct {
		small uint32
		value *int64
	}{{size, &s}, {compressed, &c}, {offset, &o}} {
		*field.value = int64(field.small)
		if field.small != full32 {
			continue
		}
		if len(x.zip64) < 8 {
			return 0, 0, 0, errors.New("its zip64 sizes are missing")
		}
		v := x.zip64.u64()
		if v > 1<<62 {
			return 0, 0, 0, errors.New("its zip64 sizes are malformed")
		}
		*field.value = int64(v)
	}
	return s, c, o, nil
}

// fields takes little-endian integers off the front of a record whose length was checked.
type fields []byte

func (f *fields) skip(n int) { *f = (*f)[n:] }

func (f *fields) u16() uint16 {
	v := binary.LittleEndian.Uint16(*f)
	f.skip(2)
	return v
}

func (f *fields) u32() uint32 {
	v := binary.LittleEndian.Uint32(*f)
	f.skip(4)
	return v
}

func (f *fields) u64() uint64 {
	v := binary.LittleEndian.Uint64(*f)
	f.skip(8)
	return v
}

// diskError is a failure of the machine, as opposed to the archive.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// readAt fills buf; an archive that ends before is damaged.
func readAt(archive io.ReaderAt, buf []byte, offset int64) error {
	n, err := archive.ReadAt(buf, offset)
	switch {
	case n == len(buf):
		return nil
	case err == io.EOF || err == nil:
		return io.ErrUnexpectedEOF
	}
	return &diskError{err}
}
