// Package basetest makes base images for tests: small archives, programs that have nothing but headers, and images of them
// that look like CPython on glibc. Nothing in them runs.
package basetest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"vpk/wheel/tag"
)

// ELF is a 64-bit, little-endian program or library. The zero value is one without a dynamic segment.
type ELF struct {
	Machine  elf.Machine // EM_X86_64 when zero
	Class    elf.Class   // ELFCLASS64 when zero; of any other class only the header is right
	Interp   string
	Soname   string
	Needed   []string
	RunPath  string
	Versions []string // defined versions: "GLIBC_2.36"
	Strings  []string // in the read-only segment, each ended by NUL
}

const (
	headerSize = 64
	progSize   = 56
	// mapped is where the file is mapped: not at its offsets, so that a reader must translate.
	mapped = 0x400000
)

// Bytes is the file.
func (e ELF) Bytes() []byte {
	text := []byte{0} // the string table
	name := func(s string) uint64 {
		at := len(text)
		text = append(append(text, s...), 0)
		return uint64(at)
	}
	type dyn struct{ tag, value uint64 }
	var dynamic []dyn
	add := func(t elf.DynTag, v uint64) { dynamic = append(dynamic, dyn{uint64(t), v}) }
	for _, lib := range e.Needed {
		add(elf.DT_NEEDED, name(lib))
	}
	if e.Soname != "" {
		add(elf.DT_SONAME, name(e.Soname))
	}
	if e.RunPath != "" {
		add(elf.DT_RUNPATH, name(e.RunPath))
	}
	defs := e.verdef(name)

	const progs = 4
	body := bytes.NewBuffer(make([]byte, headerSize+progs*progSize))
	place := func(content []byte) (offset, size uint64) {
		for body.Len()%8 != 0 {
			body.WriteByte(0)
		}
		offset = uint64(body.Len())
		body.Write(content)
		return offset, uint64(len(content))
	}
	interpAt, interpSize := place(append([]byte(e.Interp), 0))
	textAt, textSize := place(text)
	defsAt, _ := place(defs)
	var words []byte
	for _, s := range e.Strings {
		words = append(append(words, s...), 0)
	}
	place(append([]byte{0}, words...))
	readOnly := uint64(body.Len())
	if len(defs) > 0 {
		add(elf.DT_VERDEF, mapped+defsAt)
		add(elf.DT_VERDEFNUM, uint64(len(e.Versions)))
	}
	add(elf.DT_STRTAB, mapped+textAt)
	add(elf.DT_STRSZ, textSize)
	add(elf.DT_NULL, 0)
	var segment bytes.Buffer
	for _, d := range dynamic {
		write(&segment, d.tag, d.value)
	}
	dynamicAt, dynamicSize := place(segment.Bytes())

	file := body.Bytes()
	e.header(file, progs)
	prog := func(i int, t elf.ProgType, flags elf.ProgFlag, offset, size uint64) {
		var p bytes.Buffer
		write(&p, uint32(t), uint32(flags), offset, mapped+offset, mapped+offset, size, size, uint64(8))
		copy(file[headerSize+i*progSize:], p.Bytes())
	}
	prog(0, elf.PT_LOAD, elf.PF_R|elf.PF_X, 0, readOnly)
	prog(1, elf.PT_LOAD, elf.PF_R|elf.PF_W, dynamicAt, dynamicSize)
	prog(2, elf.PT_DYNAMIC, elf.PF_R|elf.PF_W, dynamicAt, dynamicSize)
	prog(3, elf.PT_NULL, 0, 0, 0)
	if e.Interp != "" {
		prog(3, elf.PT_INTERP, elf.PF_R, interpAt, interpSize)
	}
	return file
}

// verdef is a section of version definitions (Verdef and one Verdaux each).
func (e ELF) verdef(name func(string) uint64) []byte {
	var defs bytes.Buffer
	for i, version := range e.Versions {
		next := uint32(28)
		if i == len(e.Versions)-1 {
			next = 0
		}
		write(&defs, uint16(1), uint16(0), uint16(i+2), uint16(1), uint32(0), uint32(20), next)
		write(&defs, uint32(name(version)), uint32(0))
	}
	return defs.Bytes()
}

func (e ELF) header(file []byte, progs uint16) {
	machine, class := e.Machine, e.Class
	if machine == elf.EM_NONE {
		machine = elf.EM_X86_64
	}
	if class == elf.ELFCLASSNONE {
		class = elf.ELFCLASS64
	}
	var h bytes.Buffer
	h.WriteString(elf.ELFMAG)
	h.Write([]byte{byte(class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), 0, 0, 0, 0, 0, 0, 0, 0, 0})
	write(&h, uint16(elf.ET_DYN), uint16(machine), uint32(elf.EV_CURRENT), uint64(0), uint64(headerSize), uint64(0), uint32(0))
	write(&h, uint16(headerSize), uint16(progSize), progs, uint16(0), uint16(0), uint16(0))
	copy(file, h.Bytes())
}

func write(w *bytes.Buffer, values ...any) {
	for _, v := range values {
		// A buffer takes everything, and every value here has a fixed size.
		_ = binary.Write(w, binary.LittleEndian, v)
	}
}

// Machine is the machine of an architecture in a header.
func Machine(arch tag.Arch) elf.Machine {
	if arch == tag.AArch64 {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}
