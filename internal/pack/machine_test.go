package pack

import (
	"debug/elf"
	"slices"
	"testing"

	"vpk/internal/testwheel"
	"vpk/wheel"
	"vpk/wheel/tag"
)

func TestForeignWheelsAreNamed(t *testing.T) {
	library := func(m elf.Machine) string { return testwheel.ELF{Machine: m}.String() }
	server := testwheel.NewServer(t)
	s := sources(t, t.TempDir())
	fetch := func(b *testwheel.Builder) *wheel.Wheel {
		t.Helper()
		name, err := tag.ParseFilename(b.Filename())
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.wheels.Fetch(t.Context(), wheel.Ref{Filename: name, URL: server.AddWheel(b), Hash: wheel.Hash{Algorithm: "sha256", Hex: b.SHA256()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		return w
	}
	w := &wheels{archives: []*wheel.Wheel{
		fetch(testwheel.New("both", "1.0").File("both/a.so", library(elf.EM_AARCH64)).File("both/b.so", library(elf.EM_X86_64))),
		fetch(testwheel.New("foreign", "1.0").File("foreign/a.so", library(elf.EM_AARCH64))),
		fetch(testwheel.New("pure", "1.0").File("pure.py", "")),
	}}
	for arch, want := range map[tag.Arch][]string{
		tag.X8664:   {"foreign-1.0-py3-none-any.whl: its foreign/a.so is for EM_AARCH64, the image for x86_64"},
		tag.AArch64: nil,
	} {
		if got := w.foreign(arch); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", arch, got, want)
		}
	}
}
