package base

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

var elfOptions = cmp.AllowUnexported(ELF{}, pythonVersion{})

func TestReadELF(t *testing.T) {
	data := basetest.ELF{
		Interp: "/lib64/ld-linux-x86-64.so.2", Soname: "libx.so.1", Needed: []string{"libm.so.6", "libc.so.6"}, RunPath: "$ORIGIN/../lib:/opt/lib",
		Versions: []string{"libx.so.1", "GLIBC_2.9", "GLIBC_2.36", "GLIBC_2.2.5", "GLIBC_PRIVATE", "GLIBC_3.1", "OTHER_2.99"},
		Strings:  []string{"3.11.2", "Python 3.11.2", "3.2.0", "13.11.7", "3.11.2.1", "3.11", "3.14.0rc1", "3.11.4+", "3.11.x", "3.111.2", "3.9.1x2"},
	}.Bytes()
	got, ok := readELF(data, true)
	want := &ELF{
		Machine: elf.EM_X86_64, Interp: "/lib64/ld-linux-x86-64.so.2", Soname: "libx.so.1", Needed: []string{"libm.so.6", "libc.so.6"},
		RunPath: []string{"$ORIGIN/../lib", "/opt/lib"}, Glibc: tag.Glibc{Major: 2, Minor: 36},
		pythons: []pythonVersion{{11, "3.11.2", true}, {11, "3.11.2", false}, {2, "3.2.0", true}, {14, "3.14.0rc1", true}, {11, "3.11.4", true}},
	}
	if diff := cmp.Diff(want, got, elfOptions); !ok || diff != "" {
		t.Errorf("readELF (-want +got):\n%s", diff)
	}
	if got, _ := readELF(data, false); got.pythons != nil {
		t.Errorf("versions of a file not named like Python: %v", got.pythons)
	}
}

func TestReadELFOfOtherMachines(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want elf.Machine
	}{
		"arm64":  {basetest.ELF{Machine: elf.EM_AARCH64}.Bytes(), elf.EM_AARCH64},
		"32 bit": {basetest.ELF{Machine: elf.EM_386, Class: elf.ELFCLASS32, Needed: []string{"x"}}.Bytes(), elf.EM_386},
		"big":    {bigEndian(basetest.ELF{}.Bytes()), elf.EM_S390},
	} {
		got, ok := readELF(test.data, true)
		if !ok || got.Machine != test.want || got.Needed != nil {
			t.Errorf("%s: %+v, %v: want machine %s", name, got, ok, test.want)
		}
	}
	for _, data := range [][]byte{nil, []byte("\x7fELF"), []byte(strings.Repeat("x", 100)), []byte("#!/bin/sh\n")} {
		if got, ok := readELF(data, true); ok {
			t.Errorf("%q is read as %+v", data, got)
		}
	}
}

func bigEndian(data []byte) []byte {
	data[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	data[18], data[19] = 0, byte(elf.EM_S390)
	return data
}

// FuzzELF: no bytes make the reader panic or read what is not there, and what it reads survives the record.
func FuzzELF(f *testing.F) {
	full := basetest.ELF{Interp: "/ld", Soname: "s", Needed: []string{"a", "b"}, RunPath: "/r", Versions: []string{"GLIBC_2.9"}, Strings: []string{"3.11.2"}}.Bytes()
	f.Add(full)
	f.Add(full[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		info, ok := readELF(data, true)
		if !ok {
			return
		}
		for _, s := range append([]string{info.Interp, info.Soname}, info.Needed...) {
			if !bytes.Contains(data, []byte(s)) {
				t.Fatalf("%q is not in the file", s)
			}
		}
		var w writer
		w.elf(info)
		r := recordReader{data: w}
		if diff := cmp.Diff(info, r.elf(), elfOptions); diff != "" || r.failed || len(r.data) != 0 {
			t.Fatalf("the record differs: %s", diff)
		}
	})
}
