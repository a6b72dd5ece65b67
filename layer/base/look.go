package base

import (
	"vpk/internal/cas"
)

// kindLook: how an unpacked root looked when its files were last compared with the index, by manifest digest.
var kindLook = cas.Kind{Name: "base-root-look", Version: 1}

// look looks at what the interpreter loads of an unpacked root: each of its files, and each directory of the standard library. It is an error
// where something is missing.
func (i *Image) look(dir string) (cas.Look, error) {
	var paths []string
	for _, e := range i.stdlibDirs() {
		paths = append(paths, e.Path)
	}
	return cas.LookAt(i.opts.Boot, dir, append(paths, i.Facts.Loaded...)...)
}

// isRemembered says that the files were compared when they looked so.
func (i *Image) isRemembered(l cas.Look) bool {
	data, err := i.opts.Cache.Record(kindLook, i.Digest.Hex)
	return err == nil && string(data) == l.Sum
}

// remember notes that files that look so were compared.
func (i *Image) remember(l cas.Look) error {
	if ok, err := i.opts.Cache.IsSettled(kindLook, l); err != nil || !ok {
		return err
	}
	return i.opts.Cache.PutRecord(kindLook, i.Digest.Hex, []byte(l.Sum))
}
