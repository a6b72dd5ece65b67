package testwheel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// ELF is a shared library as far as a loader looks before it runs anything: 64-bit, little-endian, program headers and a
// dynamic section, no code, no section headers.
type ELF struct {
	Machine elf.Machine
	Soname  string
	RunPath string
	// Needed are pairs: a library and the symbol versions that are needed of it.
	Needed []NeededLibrary
}

// NeededLibrary is a library and the versions that are needed of it.
type NeededLibrary struct {
	Name     string
	Versions []string
}

// String is the file.
func (e ELF) String() string {
	// Addresses are places in the file: one PT_LOAD maps it whole.
	const programs, headers = 64, 64 + 2*56
	strings := []byte{0}
	add := func(s string) uint64 {
		at := len(strings)
		strings = append(append(strings, s...), 0)
		return uint64(at)
	}
	var dynamic []elf.Dyn64
	put := func(tag elf.DynTag, v uint64) { dynamic = append(dynamic, elf.Dyn64{Tag: int64(tag), Val: v}) }
	var versions bytes.Buffer
	var versioned []NeededLibrary
	for _, lib := range e.Needed {
		put(elf.DT_NEEDED, add(lib.Name))
		if len(lib.Versions) > 0 {
			versioned = append(versioned, lib)
		}
	}
	if e.Soname != "" {
		put(elf.DT_SONAME, add(e.Soname))
	}
	if e.RunPath != "" {
		put(elf.DT_RUNPATH, add(e.RunPath))
	}
	for i, lib := range versioned {
		next := uint32(16 + 16*len(lib.Versions))
		if i == len(versioned)-1 {
			next = 0
		}
		le(&versions, uint16(1), uint16(len(lib.Versions)), uint32(add(lib.Name)), uint32(16), next)
		for j, v := range lib.Versions {
			next := uint32(16)
			if j == len(lib.Versions)-1 {
				next = 0
			}
			le(&versions, uint32(0), uint16(0), uint16(j+2), uint32(add(v)), next)
		}
	}
	stringsAt := uint64(headers)
	versionsAt := (stringsAt + uint64(len(strings)) + 7) &^ 7
	dynamicAt := versionsAt + uint64(versions.Len())
	put(elf.DT_STRTAB, stringsAt)
	put(elf.DT_STRSZ, uint64(len(strings)))
	if versions.Len() > 0 {
		put(elf.DT_VERNEED, versionsAt)
		put(elf.DT_VERNEEDNUM, uint64(len(versioned)))
	}
	put(elf.DT_NULL, 0)
	dynamicSize := uint64(16 * len(dynamic))

	var out bytes.Buffer
	le(&out, elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(e.Machine), Version: uint32(elf.EV_CURRENT),
		Phoff: programs, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	size := dynamicAt + dynamicSize
	le(&out, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Filesz: size, Memsz: size, Align: 4096})
	le(&out, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Flags: uint32(elf.PF_R), Off: dynamicAt, Vaddr: dynamicAt, Filesz: dynamicSize, Memsz: dynamicSize, Align: 8})
	out.Write(strings)
	out.Write(make([]byte, versionsAt-stringsAt-uint64(len(strings))))
	out.Write(versions.Bytes())
	le(&out, dynamic)
	return out.String()
}

// le appends values, little-endian.
func le(out *bytes.Buffer, values ...any) {
	for _, v := range values {
		if err := binary.Write(out, binary.LittleEndian, v); err != nil {
			panic(fmt.Sprintf("write %T into memory: %v", v, err))
		}
	}
}
