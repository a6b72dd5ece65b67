package base

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"vpk/internal/cas"
)

// kindLook: how an unpacked root looked when its files were last compared with the index, by manifest digest.
var kindLook = cas.Kind{Name: "base-root-look", Version: 1}

// settled is how long files must not have changed before a look at them is remembered: what is written twice within the grain of
// a file system's clock looks the same both times.
const settled = 2 * time.Second

// look is how what the interpreter loads looks from outside: device, inode, mode, size, time of modification and of change, of each of
// its files and of each directory of the standard library, and which boot it is. A file can't be written, nor a directory get another
// entry, without a new time of change, which nobody can set.
type look struct {
	sum     string
	changed time.Time // the last of the times of change
}

// look looks at an unpacked root. It is an error where something is missing.
func (i *Image) look(dir string) (look, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", i.opts.Boot)
	var l look
	see := func(path string) error {
		var s unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, path), &s); err != nil {
			return fmt.Errorf("look at %q: %w", path, err)
		}
		fmt.Fprintln(h, s.Dev, s.Ino, s.Mode, s.Size, s.Mtim.Nano(), s.Ctim.Nano())
		if t := time.Unix(0, s.Ctim.Nano()); t.After(l.changed) {
			l.changed = t
		}
		return nil
	}
	var err error
	for _, e := range i.stdlibDirs() {
		if err == nil {
			err = see(e.Path)
		}
	}
	for _, path := range i.Facts.Loaded {
		if err == nil {
			err = see(path)
		}
	}
	l.sum = hex.EncodeToString(h.Sum(nil))
	return l, err
}

// isRemembered says that the files were compared when they looked so.
func (l look) isRemembered(i *Image) bool {
	data, err := i.opts.Cache.Record(kindLook, i.Digest.Hex)
	return err == nil && string(data) == l.sum
}

// remember notes that files that look so were compared. How late it is, is asked of the file system, whose clock may be another's.
func (l look) remember(i *Image) error {
	w, err := i.opts.Cache.Create(kindLook)
	if err != nil {
		return err
	}
	info, err := w.File().Stat()
	if err = errors.Join(err, w.Close()); err != nil || info.ModTime().Sub(l.changed) < settled {
		return err
	}
	return i.opts.Cache.PutRecord(kindLook, i.Digest.Hex, []byte(l.sum))
}
