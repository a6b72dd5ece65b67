package wheel

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"math"
)

// The record of an Index, version 1: integers as varints unless said otherwise, strings with their length before them.
//
//	archive size, number of members, then of each:
//	name, bits (1 executable, 2 deflated, 4 ELF), offset, compressed size, size, CRC-32 (4 bytes, little-endian),
//	SHA-256 (32 bytes), last block, end, and if it is ELF:
//	machine, soname, run path (number, strings), needed (number, then name, versions (number, strings))
//
// The cache checks the record's own sum; the decoder still trusts no length.

const (
	bitExecutable = 1 << iota
	bitDeflated
	bitELF
)

func (x *Index) encode() []byte {
	var e encoder
	e.int(x.ArchiveSize)
	e.int(int64(len(x.Members)))
	for i := range x.Members {
		m := &x.Members[i]
		e.string(m.Name)
		e.int(bit(m.Executable, bitExecutable) | bit(m.Deflated, bitDeflated) | bit(m.ELF != nil, bitELF))
		e.int(m.Offset)
		e.int(m.Compressed)
		e.int(m.Size)
		e.buf = binary.LittleEndian.AppendUint32(e.buf, m.CRC32)
		e.buf = append(e.buf, m.SHA256[:]...)
		e.int(m.LastBlock)
		e.int(m.End)
		if m.ELF != nil {
			e.elf(m.ELF)
		}
	}
	return e.buf
}

func bit(set bool, value int64) int64 {
	if set {
		return value
	}
	return 0
}

type encoder struct{ buf []byte }

func (e *encoder) int(v int64) { e.buf = binary.AppendUvarint(e.buf, uint64(v)) }

func (e *encoder) string(s string) {
	e.int(int64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) strings(list []string) {
	e.int(int64(len(list)))
	for _, s := range list {
		e.string(s)
	}
}

func (e *encoder) elf(f *ELF) {
	e.int(int64(f.Machine))
	e.string(f.Soname)
	e.strings(f.RunPath)
	e.int(int64(len(f.Needed)))
	for _, lib := range f.Needed {
		e.string(lib.Name)
		e.strings(lib.Versions)
	}
}

var errRecord = errors.New("the record of a wheel's members is malformed")

func decodeIndex(data []byte) (*Index, error) {
	// Names share the memory of one string.
	d := decoder{rest: string(data)}
	x := &Index{ArchiveSize: d.int()}
	n := d.count(memberMinimum)
	x.Members = make([]Info, n)
	for i := range x.Members {
		m := &x.Members[i]
		m.Name = d.string()
		bits := d.int()
		m.Executable, m.Deflated = bits&bitExecutable != 0, bits&bitDeflated != 0
		m.Offset, m.Compressed, m.Size = d.int(), d.int(), d.int()
		m.CRC32 = binary.LittleEndian.Uint32([]byte(d.take(4)))
		copy(m.SHA256[:], d.take(len(m.SHA256)))
		m.LastBlock, m.End = d.int(), d.int()
		if bits&bitELF != 0 {
			m.ELF = d.elf()
		}
		d.bad = d.bad || bits >= 2*bitELF || i > 0 && x.Members[i-1].Name >= m.Name
		if d.bad {
			break
		}
	}
	if d.bad || d.rest != "" {
		return nil, errRecord
	}
	return x, nil
}

// memberMinimum is how many bytes a member has in a record at the least.
const memberMinimum = 1 + 1 + 3 + 4 + 32 + 2

// decoder takes values off a record. After the first that is not there, bad is set and all values are empty.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) int() int64 {
	v, n := uvarint(d.rest)
	if n <= 0 || v > math.MaxInt64 {
		d.bad, d.rest = true, ""
		return 0
	}
	d.rest = d.rest[n:]
	return int64(v)
}

// uvarint is binary.Uvarint for a string, without a copy.
func uvarint(s string) (uint64, int) {
	return binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
}

// count reads how many things of at least size bytes follow.
func (d *decoder) count(size int) int {
	n := d.int()
	if n > int64(len(d.rest)/size) {
		d.bad, d.rest = true, ""
		return 0
	}
	return int(n)
}

// take gives n bytes, zeros if they are not there.
func (d *decoder) take(n int) string {
	if n > len(d.rest) {
		d.bad, d.rest = true, ""
		return string(make([]byte, n))
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) string() string { return d.take(d.count(1)) }

func (d *decoder) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

func (d *decoder) elf() *ELF {
	f := &ELF{Machine: elf.Machine(d.int()), Soname: d.string(), RunPath: d.strings()}
	for range d.count(2) {
		f.Needed = append(f.Needed, Library{Name: d.string(), Versions: d.strings()})
	}
	return f
}
