package cas

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"vpk/internal/fault"
)

// tagName and tag are those of https://bford.info/cachedir/: the first line is what backup programs look for, the second tells whose
// cache it is.
const (
	tagName = "CACHEDIR.TAG"
	tag     = "Signature: 8a477f597d28d172789f06886e806bc55\n" + tagOwner + "\n" +
		"# For information about cache directory tags see https://bford.info/cachedir/\n"
	tagOwner = "# This file is a cache directory tag created by vpk."
)

// kindDir is the name of a directory with entries of a kind.
var kindDir = regexp.MustCompile(`^([a-z][a-z0-9-]*)-v([0-9]{1,9})$`)

// isTagged says whether a directory has vpk's tag.
func isTagged(dir string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, tagName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	return bytes.Contains(data, []byte(tagOwner)), err
}

// hasOnlyOwn says whether nothing lies in a directory but what vpk makes there, by name, and whether any of it does.
func hasOnlyOwn(dir string) (only, any bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, false, err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == tagName, name == "tmp" && e.IsDir(), name == "locks" && e.IsDir():
		case kindDir.MatchString(name) && (e.IsDir() || e.Type()&fs.ModeSymlink != 0): // see Fork
		default:
			return false, true, nil
		}
	}
	return true, len(entries) > 0, nil
}

// mark puts the tag into a cache directory that has none, if all that lies there is vpk's. It says whether that is so.
func mark(dir string) (own bool, err error) {
	if own, err = isTagged(dir); own || err != nil {
		return own, err
	}
	if own, _, err = hasOnlyOwn(dir); !own || err != nil {
		return false, err
	}
	// A tag that cannot be written is not worth an error: backups take more than they need.
	f, err := os.CreateTemp(filepath.Join(dir, "tmp"), "tag-")
	if err != nil {
		return true, nil
	}
	_, err = f.WriteString(tag)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, tagName))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return true, nil
}

// Check says whether a directory is a cache of vpk: nil, fs.ErrNotExist where there is nothing, else an error of the kind fault.Usage.
// Nothing is made or changed.
func Check(dir string) error {
	tagged, err := isTagged(dir)
	if tagged || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	only, any, err := hasOnlyOwn(dir)
	switch {
	case err != nil:
		return err
	case !any:
		return fmt.Errorf("%q is empty: %w", dir, fs.ErrNotExist)
	case only:
		if info, err := os.Stat(filepath.Join(dir, "locks")); err == nil && info.IsDir() {
			return nil
		}
	}
	return fault.New(fault.Usage, "name the directory that `vpk cache dir` shows", "%q is not a cache of vpk, or has other files beside it", dir)
}

// OpenExisting opens a cache to look after it, if it is one (see Check). It makes no directory that is not one already.
func OpenExisting(dir string, options ...Option) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = Check(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return Open(dir, options...)
}
