package wheel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// checkLocal compares the local header of a member, and its data descriptor, with the central directory's entry, and
// gives the place of the data and of what comes after the member. limit is where the central directory begins.
func checkLocal(archive io.ReaderAt, h *header, limit int64) (data, end int64, err error) {
	if h.offset > limit-localSize {
		return 0, 0, errors.New("its local header is missing")
	}
	// One read gets header and name; extra fields are short and rarely there.
	buf := make([]byte, min(int64(localSize+len(h.name)+64), limit-h.offset))
	if err := readAt(archive, buf, h.offset); err != nil {
		return 0, 0, fmt.Errorf("read local header: %w", err)
	}
	if binary.LittleEndian.Uint32(buf) != localSignature {
		return 0, 0, errors.New("its local header is missing")
	}
	f := fields(buf[4:])
	f.skip(2)
	flags, method := f.u16(), f.u16()
	f.skip(4) // time and date
	crc, smallCompressed, smallSize := f.u32(), f.u32(), f.u32()
	nameLen, extraLen := int64(f.u16()), int64(f.u16())
	data = h.offset + localSize + nameLen + extraLen
	if h.compressed > limit-data {
		return 0, 0, errors.New("it reaches into the central directory")
	}
	if need := data - h.offset; need > int64(len(buf)) {
		buf = make([]byte, need)
		if err := readAt(archive, buf, h.offset); err != nil {
			return 0, 0, fmt.Errorf("read local header: %w", err)
		}
	}
	name := string(buf[localSize : localSize+nameLen])
	if name != h.name {
		return 0, 0, fmt.Errorf("its local header names it %q", name)
	}
	x, err := parseExtra(buf[localSize+nameLen:data-h.offset], name)
	if err != nil {
		return 0, 0, err
	}
	size, compressed, _, err := x.sizes(smallSize, smallCompressed, 0)
	if err != nil {
		return 0, 0, err
	}
	streamed := flags&flagDescriptor != 0
	agree := func(local, central int64) bool { return local == central || streamed && local == 0 }
	switch {
	case method != h.method || (flags^h.flags)&(flagEncrypted|flagUTF8) != 0:
		return 0, 0, errors.New("local header and central directory disagree on how it is stored")
	case !agree(size, h.size) || !agree(compressed, h.compressed) || !agree(int64(crc), int64(h.crc)):
		return 0, 0, errors.New("local header and central directory disagree on its size or checksum")
	}
	end = data + h.compressed
	if streamed {
		n, err := checkDescriptor(archive, h, end, limit)
		if err != nil {
			return 0, 0, err
		}
		end += n
	}
	return data, end, nil
}

// checkDescriptor compares a data descriptor, which comes with and without a signature and with sizes of 32 or 64 bits,
// and gives its length.
func checkDescriptor(archive io.ReaderAt, h *header, at, limit int64) (int64, error) {
	buf := make([]byte, min(24, limit-at))
	if err := readAt(archive, buf, at); err != nil {
		return 0, fmt.Errorf("read data descriptor: %w", err)
	}
	crc := binary.LittleEndian.AppendUint32(nil, h.crc)
	signed := append(binary.LittleEndian.AppendUint32(nil, descriptorSignature), crc...)
	for _, prefix := range [][]byte{signed, crc} {
		long := binary.LittleEndian.AppendUint64(prefix, uint64(h.compressed))
		long = binary.LittleEndian.AppendUint64(long, uint64(h.size))
		short := binary.LittleEndian.AppendUint32(prefix[:len(prefix):len(prefix)], uint32(h.compressed))
		short = binary.LittleEndian.AppendUint32(short, uint32(h.size))
		for _, want := range [][]byte{long, short} {
			if len(buf) >= len(want) && string(buf[:len(want)]) == string(want) {
				return int64(len(want)), nil
			}
		}
	}
	return 0, errors.New("its data descriptor and the central directory disagree")
}
