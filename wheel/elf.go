package wheel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// ELF is what a shared library or program needs to be loaded.
type ELF struct {
	// Machine it runs on.
	Machine elf.Machine
	// Soname is the name that others need it by, empty for programs and most extension modules.
	Soname string
	// RunPath lists where it looks for libraries, DT_RUNPATH or the older DT_RPATH, as written: "$ORIGIN/../pkg.libs".
	RunPath []string
	// Needed are the libraries that it needs, in its own order.
	Needed []Library
}

// Library is one that an ELF file needs.
type Library struct {
	Name string // "libc.so.6"
	// Versions are the symbol versions it must define, sorted: "GLIBC_2.17".
	Versions []string
}

// Ceilings against files that were made to exhaust their reader; real ones stay far below.
const (
	maxPrograms = 1024
	maxDynamic  = 1 << 20
	maxVersions = 1 << 14
	maxString   = 4 << 10
)

var errELF = errors.New("malformed ELF file")

// elfFile is read as the dynamic loader reads it: by program headers, so that a file without section headers is
// understood and a large one is not read. debug/elf would go by sections and load whole string and symbol tables.
type elfFile struct {
	r       io.ReaderAt
	loads   []elf.Prog64
	strings uint64 // address of the string table
	// left is how long all further facts may be together. They are as long as the file at first: a real file says nothing
	// twice, a hostile one could say the longest string of all in every word.
	left int64
}

// readELF reads a file of a size. It gives nil for what is not a well-formed ELF file; of one that is not 64-bit and little-endian, which no target
// of vpk can load, only the machine.
func readELF(r io.ReaderAt, size int64) *ELF {
	ident := make([]byte, elf.EI_NIDENT+4)
	if readAt(r, ident, 0) != nil || string(ident[:4]) != elf.ELFMAG {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	facts := &ELF{Machine: elf.Machine(order.Uint16(ident[elf.EI_NIDENT+2:]))}
	if elf.Class(ident[elf.EI_CLASS]) != elf.ELFCLASS64 || order == binary.BigEndian {
		return facts
	}
	f := &elfFile{r: r, left: size}
	if err := f.read(facts); err != nil {
		return nil
	}
	return facts
}

func (f *elfFile) read(facts *ELF) error {
	dynamic, err := f.programs()
	if err != nil || dynamic == nil {
		return err // a static program or an object file needs nothing
	}
	if dynamic.Filesz > maxDynamic {
		return errELF
	}
	entries := make([]elf.Dyn64, dynamic.Filesz/16)
	if err := f.records(dynamic.Off, entries); err != nil {
		return err
	}
	if end := slices.IndexFunc(entries, func(d elf.Dyn64) bool { return d.Tag == int64(elf.DT_NULL) }); end >= 0 {
		entries = entries[:end]
	}
	value := func(tag elf.DynTag) uint64 {
		i := slices.IndexFunc(entries, func(d elf.Dyn64) bool { return d.Tag == int64(tag) })
		if i < 0 {
			return 0
		}
		return entries[i].Val
	}
	f.strings = value(elf.DT_STRTAB)
	versions, err := f.versions(value(elf.DT_VERNEED), value(elf.DT_VERNEEDNUM))
	if err != nil {
		return err
	}
	var rpath []string
	for _, d := range entries {
		switch tag := elf.DynTag(d.Tag); tag {
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			s, err := f.string(d.Val)
			if err != nil {
				return err
			}
			switch tag {
			case elf.DT_NEEDED:
				for _, v := range versions[s] {
					if err := f.spend(v); err != nil {
						return err
					}
				}
				facts.Needed = append(facts.Needed, Library{Name: s, Versions: versions[s]})
			case elf.DT_SONAME:
				facts.Soname = s
			case elf.DT_RPATH:
				rpath = append(rpath, s)
			case elf.DT_RUNPATH:
				facts.RunPath = append(facts.RunPath, s)
			}
		}
	}
	if facts.RunPath == nil {
		facts.RunPath = rpath
	}
	return nil
}

// programs reads the program headers and gives the one of the dynamic section, nil if there is none.
func (f *elfFile) programs() (*elf.Prog64, error) {
	var header elf.Header64
	if err := f.records(0, &header); err != nil {
		return nil, err
	}
	if header.Phnum == 0 {
		return nil, nil
	}
	if header.Phnum > maxPrograms || header.Phentsize != 56 {
		return nil, errELF
	}
	programs := make([]elf.Prog64, header.Phnum)
	if err := f.records(header.Phoff, programs); err != nil {
		return nil, err
	}
	var dynamic *elf.Prog64
	for i, p := range programs {
		switch elf.ProgType(p.Type) {
		case elf.PT_LOAD:
			f.loads = append(f.loads, p)
		case elf.PT_DYNAMIC:
			dynamic = &programs[i]
		}
	}
	return dynamic, nil
}

// versions reads the symbol versions that are needed of each library.
func (f *elfFile) versions(addr, count uint64) (map[string][]string, error) {
	if count > maxVersions {
		return nil, errELF
	}
	const needSize, auxSize = 16, 16
	versions := map[string][]string{}
	budget := maxVersions
	for ; count > 0; count-- {
		var need struct {
			Version, Count        uint16
			File, FirstAux, NextN uint32
		}
		if err := f.recordsAt(addr, &need); err != nil {
			return nil, err
		}
		library, err := f.string(uint64(need.File))
		if err != nil {
			return nil, err
		}
		aux := addr + uint64(need.FirstAux)
		for range need.Count {
			var dep struct {
				Hash         uint32
				Flags, Other uint16
				Name, Next   uint32
			}
			if budget--; budget < 0 {
				return nil, errELF
			}
			if err := f.recordsAt(aux, &dep); err != nil {
				return nil, err
			}
			version, err := f.string(uint64(dep.Name))
			if err != nil {
				return nil, err
			}
			versions[library] = append(versions[library], version)
			if dep.Next < auxSize {
				break
			}
			aux += uint64(dep.Next)
		}
		if need.NextN < needSize {
			break
		}
		addr += uint64(need.NextN)
	}
	for library, list := range versions {
		slices.Sort(list)
		versions[library] = slices.Compact(list)
	}
	return versions, nil
}

// string reads one of the string table.
func (f *elfFile) string(offset uint64) (string, error) {
	at, err := f.place(f.strings + offset)
	if err != nil {
		return "", err
	}
	var s []byte
	// Most are short: read a little, then up to the ceiling.
	for _, n := range []int{128, maxString} {
		s = make([]byte, n)
		k, err := f.r.ReadAt(s, at)
		if err != nil && err != io.EOF {
			return "", err
		}
		if end := bytes.IndexByte(s[:k], 0); end >= 0 {
			return string(s[:end]), f.spend(string(s[:end]))
		}
	}
	return "", errELF
}

// spend takes a string, with its end, off what is left.
func (f *elfFile) spend(s string) error {
	if f.left -= int64(len(s)) + 1; f.left < 0 {
		return errELF
	}
	return nil
}

// place is where in the file an address is loaded from.
func (f *elfFile) place(addr uint64) (int64, error) {
	for _, p := range f.loads {
		if addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			if at := p.Off + (addr - p.Vaddr); at < 1<<62 {
				return int64(at), nil
			}
		}
	}
	return 0, errELF
}

// recordsAt reads fixed-size values from an address.
func (f *elfFile) recordsAt(addr uint64, into any) error {
	at, err := f.place(addr)
	if err != nil {
		return err
	}
	return f.records(uint64(at), into)
}

// records reads fixed-size values from a place in the file.
func (f *elfFile) records(at uint64, into any) error {
	if at > 1<<62 {
		return errELF
	}
	return binary.Read(io.NewSectionReader(f.r, int64(at), int64(binary.Size(into))), binary.LittleEndian, into)
}
