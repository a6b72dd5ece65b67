package pack

import (
	"fmt"

	"vpk/layer/base"
	"vpk/wheel"
	"vpk/wheel/tag"
)

// foreign tells of wheels all of whose libraries and programs are for another processor than the image, whatever their
// tags say. A wheel that has some for several processors, to choose from when it runs, is in order.
func (w *wheels) foreign(arch tag.Arch) (notes []string) {
	for _, archive := range w.archives {
		if foreign := foreignMachine(archive, arch); foreign != nil {
			notes = append(notes, fmt.Sprintf("%s: its %s is for %s, the image for %s", archive.Filename, foreign.Name, foreign.ELF.Machine, arch))
		}
	}
	return notes
}

// foreignMachine is the first ELF file of a wheel that has such files and none for the architecture; else nil.
func foreignMachine(archive *wheel.Wheel, arch tag.Arch) *wheel.Info {
	var foreign *wheel.Info
	for _, m := range archive.Members() {
		switch info := m.Info(); {
		case info.ELF == nil:
		case base.Arch(info.ELF.Machine) == arch:
			return nil
		case foreign == nil:
			foreign = info
		}
	}
	return foreign
}
