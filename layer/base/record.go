package base

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"vpk/wheel/tag"
)

// A file index as the cache keeps it: the number of entries, then each entry's fields in the order of encode. Integers are
// varints, strings have their length before them, paths give only what differs from the one before. Whoever changes this or
// what an index says raises the version of kindFiles.

// encode writes an index as a record.
func (f *Files) encode() []byte {
	w := writer(make([]byte, 0, 128*len(f.entries)))
	w.uint(uint64(len(f.entries)))
	previous := ""
	for _, e := range f.entries {
		shared := 0
		for shared < len(previous) && shared < len(e.Path) && previous[shared] == e.Path[shared] {
			shared++
		}
		previous = e.Path
		w.uint(uint64(shared))
		w.text(e.Path[shared:])
		w.uint(uint64(e.Mode))
		w.int(int64(e.UID))
		w.int(int64(e.GID))
		w.int(e.ModTime.Unix())
		w.int(int64(e.ModTime.Nanosecond()))
		switch {
		case e.Mode&fs.ModeSymlink != 0:
			w.text(e.Link)
		case e.Mode.IsRegular():
			w.int(e.Size)
			w = append(w, e.Digest[:]...)
			w.uint(uint64(e.place.layer))
			w.uint(uint64(e.place.ordinal))
			w.elf(e.ELF)
		}
	}
	return w
}

// decodeFiles reads what encode wrote.
func decodeFiles(data []byte) (*Files, error) {
	r := recordReader{data: data}
	n := r.uint()
	// An entry takes seven bytes at least.
	if n > uint64(len(data))/7 {
		return nil, errRecord
	}
	entries := make([]Entry, 0, n)
	previous := ""
	for range n {
		var e Entry
		shared := r.uint()
		if shared > uint64(len(previous)) {
			return nil, errRecord
		}
		e.Path = previous[:shared] + r.text()
		if previous != "" && e.Path <= previous {
			return nil, errRecord
		}
		previous = e.Path
		e.Mode = fs.FileMode(r.uint())
		e.UID, e.GID = int(r.int()), int(r.int())
		e.ModTime = time.Unix(r.int(), r.int()).UTC()
		switch {
		case e.Mode&fs.ModeSymlink != 0:
			e.Link = r.text()
		case e.Mode.IsRegular():
			e.Size = r.int()
			copy(e.Digest[:], r.take(uint64(len(e.Digest))))
			e.place = place{int(r.uint()), int(r.uint())}
			e.ELF = r.elf()
		}
		if r.failed {
			return nil, errRecord
		}
		entries = append(entries, e)
	}
	if len(r.data) != 0 {
		return nil, errRecord
	}
	nameHardLinks(entries)
	f := &Files{entries: entries}
	if root, ok := f.Lookup("."); !ok || !root.Mode.IsDir() {
		return nil, fmt.Errorf("%w: no root", errRecord)
	}
	return f, nil
}

var errRecord = errors.New("not a record of a file index")

type writer []byte

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }
func (w *writer) int(v int64)   { *w = binary.AppendVarint(*w, v) }
func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) texts(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) elf(e *ELF) {
	if e == nil {
		w.uint(0)
		return
	}
	w.uint(1)
	w.uint(uint64(e.Machine))
	w.text(e.Interp)
	w.text(e.Soname)
	w.texts(e.Needed)
	w.texts(e.RunPath)
	w.uint(uint64(e.Glibc.Major))
	w.uint(uint64(e.Glibc.Minor))
	w.uint(uint64(len(e.pythons)))
	for _, p := range e.pythons {
		w.text(p.full)
		alone := uint64(0)
		if p.alone {
			alone = 1
		}
		w.uint(alone)
	}
}

// recordReader reads values; after the first that is not there it fails and gives zeros.
type recordReader struct {
	data   []byte
	failed bool
}

func (r *recordReader) fail() {
	r.data, r.failed = nil, true
}

func (r *recordReader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *recordReader) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *recordReader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *recordReader) text() string { return string(r.take(r.uint())) }

func (r *recordReader) texts() (list []string) {
	for n := r.uint(); n > 0 && !r.failed; n-- {
		list = append(list, r.text())
	}
	return list
}

func (r *recordReader) elf() *ELF {
	if r.uint() == 0 {
		return nil
	}
	e := &ELF{Machine: elf.Machine(r.uint()), Interp: r.text(), Soname: r.text(), Needed: r.texts(), RunPath: r.texts()}
	e.Glibc = tag.Glibc{Major: int(r.uint()), Minor: int(r.uint())}
	for n := r.uint(); n > 0 && !r.failed; n-- {
		v, ok := parsePyVersion(r.text())
		if !ok {
			r.fail()
		}
		v.alone = r.uint() == 1
		e.pythons = append(e.pythons, v)
	}
	return e
}
