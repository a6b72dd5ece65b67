package testwheel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/klauspost/compress/flate"
)

// Compression methods for Member.Method.
const (
	Deflate uint16 = 8
	// Store is written as 0 in the archive; here 0 means Deflate, so that the zero Member is an ordinary one.
	Store uint16 = 0xffff
)

// Member is one member of an archive. Its zero fields are honest; every other one says something instead of the truth.
type Member struct {
	Name    string
	Content string
	// Mode of the external attributes; 0 means 0644. A directory or symbolic link also by its type bits.
	Mode fs.FileMode
	// Method: 0 or Deflate, Store, or any other number, which is claimed of deflated bytes.
	Method uint16
	// Raw, if not nil, is what is stored in the place of the compressed content.
	Raw []byte
	// Flags are or-ed to the general purpose flags of both headers: 1 encrypted, 8 data descriptor, 0x800 UTF-8.
	Flags uint16
	// Size, CompressedSize and CRC replace the true values in both headers.
	Size, CompressedSize *uint32
	CRC                  *uint32
	// Local changes the local header alone.
	Local func(*Header)
	// Central changes the central directory's entry alone.
	Central func(*Header)
}

// Header is what the two headers of a member say.
type Header struct {
	Name                 string
	Flags, Method        uint16
	CRC                  uint32
	CompressedSize, Size uint32
	Extra                []byte
	// Offset of the local header; central only.
	Offset uint32
	// External attributes; central only.
	External uint32
}

// Claim is a value for Member's pointers.
func Claim(v uint32) *uint32 { return &v }

// Archive writes a zip archive of the members, as given and in their order.
func Archive(comment string, members ...Member) []byte {
	var out, directory bytes.Buffer
	for _, m := range members {
		raw := m.compressed()
		h := m.header(raw)
		h.Offset = uint32(out.Len())
		local, central := h, h
		if m.Local != nil {
			m.Local(&local)
		}
		if m.Central != nil {
			m.Central(&central)
		}
		local.writeLocal(&out, m.Flags&8 != 0)
		out.Write(raw)
		if m.Flags&8 != 0 {
			put(&out, uint32(0x08074b50), h.CRC, h.CompressedSize, h.Size)
		}
		central.writeCentral(&directory)
	}
	start := out.Len()
	out.Write(directory.Bytes())
	n := uint16(len(members))
	put(&out, uint32(0x06054b50), uint16(0), uint16(0), n, n, uint32(directory.Len()), uint32(start), uint16(len(comment)))
	out.WriteString(comment)
	return out.Bytes()
}

func (m Member) compressed() []byte {
	switch {
	case m.Raw != nil:
		return m.Raw
	case m.Method == Store:
		return []byte(m.Content)
	}
	return Compress(m.Content)
}

// Compress is raw deflate of s.
func Compress(s string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err == nil {
		_, err = w.Write([]byte(s))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("deflate into memory: %v", err))
	}
	return b.Bytes()
}

func (m Member) header(raw []byte) Header {
	h := Header{
		Name: m.Name, Flags: m.Flags, Method: m.Method,
		CRC: crc32.ChecksumIEEE([]byte(m.Content)), CompressedSize: uint32(len(raw)), Size: uint32(len(m.Content)),
	}
	switch m.Method {
	case 0:
		h.Method = Deflate
	case Store:
		h.Method = 0
	}
	for _, c := range []byte(m.Name) {
		if c >= 0x80 {
			h.Flags |= 0x800
		}
	}
	claim := func(field, value *uint32) {
		if value != nil {
			*field = *value
		}
	}
	claim(&h.Size, m.Size)
	claim(&h.CompressedSize, m.CompressedSize)
	claim(&h.CRC, m.CRC)
	mode := m.Mode
	if mode == 0 {
		mode = 0o644
	}
	unix := uint32(mode.Perm())
	switch {
	case mode&fs.ModeSymlink != 0:
		unix |= 0o120000
	case mode&fs.ModeDir != 0:
		unix |= 0o040000
		h.External |= 0x10
	default:
		unix |= 0o100000
	}
	h.External |= unix << 16
	return h
}

// The fixed time of all members: 1980-01-01 00:00.
const dosTime, dosDate uint16 = 0, 1<<5 | 1

func (h Header) writeLocal(out *bytes.Buffer, descriptor bool) {
	crc, compressed, size := h.CRC, h.CompressedSize, h.Size
	if descriptor {
		crc, compressed, size = 0, 0, 0
	}
	put(out, uint32(0x04034b50), uint16(20), h.Flags, h.Method, dosTime, dosDate, crc, compressed, size,
		uint16(len(h.Name)), uint16(len(h.Extra)))
	out.WriteString(h.Name)
	out.Write(h.Extra)
}

func (h Header) writeCentral(out *bytes.Buffer) {
	const madeByUnix = 3<<8 | 20
	put(out, uint32(0x02014b50), uint16(madeByUnix), uint16(20), h.Flags, h.Method, dosTime, dosDate, h.CRC,
		h.CompressedSize, h.Size, uint16(len(h.Name)), uint16(len(h.Extra)), uint16(0), uint16(0), uint16(0), h.External, h.Offset)
	out.WriteString(h.Name)
	out.Write(h.Extra)
}

// put appends little-endian integers.
func put(out *bytes.Buffer, values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case uint16:
			out.Write(binary.LittleEndian.AppendUint16(nil, v))
		case uint32:
			out.Write(binary.LittleEndian.AppendUint32(nil, v))
		default:
			panic(fmt.Sprintf("put %T", v))
		}
	}
}
