package base

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strconv"
	"strings"

	"vpk/wheel/tag"
)

// ELF is what the headers of a 64-bit, little-endian program or library say; of any other only the machine is known.
//
// It is read from the program headers, as the loader does, and not by debug/elf, which reads section headers (they may be
// stripped) and warns that malformed files can make it panic or take any amount of memory.
type ELF struct {
	Machine elf.Machine
	Interp  string    // the loader that a program asks for
	Soname  string    // the name that a library is needed by
	Needed  []string  // the libraries it needs
	RunPath []string  // where it wants them looked for: DT_RUNPATH, else DT_RPATH; may hold $ORIGIN
	Glibc   tag.Glibc // the highest GLIBC_2.N that it defines, zero when it defines none
	// pythons are the strings in read-only segments that may be PY_VERSION; of files named like CPython only.
	pythons []pythonVersion
}

// pythonVersion is a NUL-terminated string like "3.11.2".
type pythonVersion struct {
	minor int
	full  string
	alone bool // it is a whole string, not the end of a longer one
}

const (
	elfHeaderSize  = 64
	elfProgSize    = 56
	maxELFDynamic  = 1024 // entries of the dynamic segment
	maxELFVersions = 4096 // defined versions
	maxPythons     = 64   // candidates for a version
)

// readELF reads the headers of a file. ok is false when it is no ELF file, or not one that a loader would take.
func readELF(data []byte, python bool) (info *ELF, ok bool) {
	if len(data) < elfHeaderSize || !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, false
	}
	le := binary.LittleEndian
	if elf.Data(data[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return &ELF{Machine: elf.Machine(binary.BigEndian.Uint16(data[18:]))}, true
	}
	info = &ELF{Machine: elf.Machine(le.Uint16(data[18:]))}
	if elf.Class(data[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(data[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return info, true
	}
	f := elfFile{data: data}
	progs := cut(data, le.Uint64(data[32:]), uint64(le.Uint16(data[56:]))*elfProgSize)
	if le.Uint16(data[54:]) != elfProgSize {
		progs = nil
	}
	var dynamic []byte
	for ; len(progs) >= elfProgSize; progs = progs[elfProgSize:] {
		content := cut(data, le.Uint64(progs[8:]), le.Uint64(progs[32:]))
		switch elf.ProgType(le.Uint32(progs)) {
		case elf.PT_LOAD:
			writable := elf.ProgFlag(le.Uint32(progs[4:]))&elf.PF_W != 0
			f.segments = append(f.segments, elfSegment{address: le.Uint64(progs[16:]), content: content, writable: writable})
		case elf.PT_DYNAMIC:
			dynamic = content
		case elf.PT_INTERP:
			info.Interp = cString(content, 0)
		}
	}
	f.readDynamic(info, dynamic)
	if python {
		for _, s := range f.segments {
			if !s.writable {
				info.pythons = findPythons(info.pythons, s.content)
			}
		}
	}
	return info, true
}

// elfFile is a file as the loader would map it.
type elfFile struct {
	data     []byte
	segments []elfSegment
}

type elfSegment struct {
	address  uint64
	content  []byte
	writable bool
}

// at is what is mapped from an address on, nil when nothing is.
func (f elfFile) at(address uint64) []byte {
	for _, s := range f.segments {
		if address >= s.address && address-s.address < uint64(len(s.content)) {
			return s.content[address-s.address:]
		}
	}
	return nil
}

// readDynamic reads the dynamic segment and what it points to.
func (f elfFile) readDynamic(info *ELF, dynamic []byte) {
	le := binary.LittleEndian
	values := map[elf.DynTag]uint64{}
	var needed []uint64
	for i := 0; len(dynamic) >= 16 && i < maxELFDynamic; i++ {
		t, value := elf.DynTag(le.Uint64(dynamic)), le.Uint64(dynamic[8:])
		if t == elf.DT_NULL {
			break
		}
		if t == elf.DT_NEEDED {
			needed = append(needed, value)
		}
		values[t] = value
		dynamic = dynamic[16:]
	}
	text := f.at(values[elf.DT_STRTAB])
	text = text[:min(uint64(len(text)), values[elf.DT_STRSZ])]
	left := len(f.data) // for names; a real file says none of them twice
	for _, at := range needed {
		name := cString(text, at)
		if left -= len(name); left < 0 {
			break
		}
		if name != "" && len(name) <= MaxName {
			info.Needed = append(info.Needed, name)
		}
	}
	if at, ok := values[elf.DT_SONAME]; ok {
		info.Soname = cString(text, at)
	}
	for _, t := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		if at, ok := values[t]; ok && info.RunPath == nil {
			info.RunPath = strings.Split(cString(text, at), ":")
		}
	}
	if at, ok := values[elf.DT_VERDEF]; ok {
		info.Glibc = highestGlibc(f.at(at), values[elf.DT_VERDEFNUM], text)
	}
}

// highestGlibc walks the version definitions (Verdef and its first Verdaux each).
func highestGlibc(defs []byte, count uint64, text []byte) (highest tag.Glibc) {
	le := binary.LittleEndian
	for i := uint64(0); i < min(count, maxELFVersions) && len(defs) >= 20; i++ {
		if aux := cut(defs, uint64(le.Uint32(defs[12:])), 8); aux != nil {
			name := cString(text, uint64(le.Uint32(aux)))
			if minor, err := strconv.ParseUint(strings.TrimPrefix(name, "GLIBC_2."), 10, 16); err == nil && strings.HasPrefix(name, "GLIBC_2.") {
				highest = tag.Glibc{Major: 2, Minor: max(highest.Minor, int(minor))}
			}
		}
		next := uint64(le.Uint32(defs[16:]))
		if next == 0 || next > uint64(len(defs)) {
			break
		}
		defs = defs[next:]
	}
	return highest
}

// cut is a part of data, nil when it does not lie in it.
func cut(data []byte, offset, size uint64) []byte {
	if offset > uint64(len(data)) || size > uint64(len(data))-offset {
		return nil
	}
	return data[offset : offset+size]
}

// cString is the NUL-terminated string at an offset, empty when there is none of a sensible length.
func cString(data []byte, offset uint64) string {
	if offset >= uint64(len(data)) {
		return ""
	}
	data = data[offset:]
	data = data[:min(len(data), MaxPath)]
	end := bytes.IndexByte(data, 0)
	if end < 0 {
		return ""
	}
	return string(data[:end])
}

// findPythons adds every string that may be CPython's PY_VERSION: 3.N.P, with aN, bN or rcN, ended by "+" at most and NUL.
func findPythons(found []pythonVersion, data []byte) []pythonVersion {
	for i := 0; len(found) < maxPythons; i++ {
		next := bytes.Index(data[i:], []byte("3."))
		if next < 0 {
			break
		}
		i += next
		if i > 0 && (isDigit(data[i-1]) || data[i-1] == '.') {
			continue
		}
		window := data[i:min(len(data), i+20)]
		end := bytes.IndexByte(window, 0)
		if end < 0 {
			continue
		}
		v, ok := parsePyVersion(string(window[:end]))
		if !ok {
			continue
		}
		v.alone = i > 0 && data[i-1] == 0
		found = append(found, v)
	}
	return found
}

// parsePyVersion reads PY_VERSION, e.g. "3.11.2", "3.14.0rc1" or "3.11.2+".
func parsePyVersion(s string) (pythonVersion, bool) {
	s = strings.TrimSuffix(s, "+")
	digits := func(s string) (n int, rest string, ok bool) {
		end := 0
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		n, err := strconv.Atoi(s[:min(end, 3)])
		return n, s[end:], err == nil && end <= 2
	}
	major, rest, ok := digits(s)
	if !ok || major != 3 || !strings.HasPrefix(rest, ".") {
		return pythonVersion{}, false
	}
	minor, rest, ok := digits(rest[1:])
	if !ok || !strings.HasPrefix(rest, ".") {
		return pythonVersion{}, false
	}
	_, rest, ok = digits(rest[1:])
	if !ok {
		return pythonVersion{}, false
	}
	if rest != "" {
		level := strings.TrimRight(rest, "0123456789")
		if level == rest || level != "a" && level != "b" && level != "rc" {
			return pythonVersion{}, false
		}
	}
	return pythonVersion{minor: minor, full: s}, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
