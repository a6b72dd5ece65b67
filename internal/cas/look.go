package cas

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// settled is how long files must not have changed before a look at them is worth remembering: what is written twice within the grain
// of a file system's clock looks the same both times.
const settled = 2 * time.Second

// Look is how files look from outside: device, inode, mode, size, time of modification and of change of each, and which boot it is. A file can't be
// written, nor a directory get another entry, without a new time of change, which nobody can set. So who has read files, and finds
// that they look as they did, need not read them again.
type Look struct {
	Sum     string    // equal for what looks the same
	Changed time.Time // the last of the times of change
}

// LookAt looks at paths below a directory, in this order. It is an error where something is missing.
func LookAt(boot, dir string, paths ...string) (Look, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", boot)
	var l Look
	for _, path := range paths {
		var s unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, path), &s); err != nil {
			return Look{}, fmt.Errorf("look at %q: %w", path, err)
		}
		fmt.Fprintln(h, s.Dev, s.Ino, s.Mode, s.Size, s.Mtim.Nano(), s.Ctim.Nano())
		if t := time.Unix(0, s.Ctim.Nano()); t.After(l.Changed) {
			l.Changed = t
		}
	}
	l.Sum = hex.EncodeToString(h.Sum(nil))
	return l, nil
}

// IsSettled says that a look may be remembered. How late it is, is asked of the file system of the cache, whose clock may be another's.
func (s *Store) IsSettled(k Kind, l Look) (bool, error) {
	w, err := s.Create(k)
	if err != nil {
		return false, err
	}
	info, err := w.File().Stat()
	if err = errors.Join(err, w.Close()); err != nil {
		return false, err
	}
	return info.ModTime().Sub(l.Changed) >= settled, nil
}
