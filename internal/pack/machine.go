package pack

import (
	"debug/elf"
	"fmt"

	"vpk/wheel"
	"vpk/wheel/tag"
)

// machines are the processors that ELF files are for.
var machines = map[tag.Arch]elf.Machine{tag.X8664: elf.EM_X86_64, tag.AArch64: elf.EM_AARCH64}

// foreign tells of wheels all of whose libraries and programs are for another processor than the image, whatever their
// tags say. A wheel that has some for several processors, to choose from when it runs, is in order.
func (w *wheels) foreign(arch tag.Arch) (notes []string) {
	for _, archive := range w.archives {
		if foreign := foreignMachine(archive, machines[arch]); foreign != nil {
			notes = append(notes, fmt.Sprintf("%s: its %s is for %s, the image for %s", archive.Filename, foreign.Name, foreign.ELF.Machine, arch))
		}
	}
	return notes
}

// foreignMachine is the first ELF file of a wheel that has such files and none for the machine; else nil.
func foreignMachine(archive *wheel.Wheel, machine elf.Machine) *wheel.Info {
	var foreign *wheel.Info
	for _, m := range archive.Members() {
		switch info := m.Info(); {
		case info.ELF == nil:
		case info.ELF.Machine == machine:
			return nil
		case foreign == nil:
			foreign = info
		}
	}
	return foreign
}
