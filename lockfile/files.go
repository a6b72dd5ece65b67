package lockfile

import (
	"errors"
	"fmt"
	"net/url"
	pathpkg "path"
	"strings"

	"vpk/lockfile/pep440"
	"vpk/wheel/tag"
)

// hashRule says which sources' files have hashes (crates/uv-resolver/src/lock/mod.rs:4059).
func (s Source) hashRule() (required, forbidden bool) {
	switch s.Kind {
	case URL, Path:
		return true, false
	case Registry:
		return false, false
	}
	return false, true
}

// wheel reads one wheel and checks that it is one of pkg's.
func (p *parser) wheel(w *fileWire, pkg *Package, wheel *Wheel, in path, i int) {
	fail := func(key string, err error) {
		p.problems.add(in.at("wheels", i, key), "package %q: %w", pkg, err)
	}
	name := ""
	var err error
	// The first form that is there decides (mod.rs:4975).
	switch {
	case w.URL != nil:
		wheel.URL = *w.URL
		name, err = urlFilename(*w.URL)
	case w.Path != nil:
		wheel.Path = *w.Path
		name = pathpkg.Base(*w.Path)
	case w.Filename != nil:
		name = *w.Filename
	default:
		err = errors.New("a wheel has none of url, path and filename")
	}
	if err == nil {
		wheel.Filename, err = tag.ParseFilename(name)
	}
	if err == nil {
		err = checkWheelVersion(wheel.Filename, pkg.Version)
	}
	if err != nil {
		fail("url", err)
	}
	wheel.Size = fileSize(w)
	if wheel.Hash, err = fileHash(w); err != nil {
		fail("hash", err)
	}
	switch required, forbidden := pkg.Source.hashRule(); {
	case required && w.Hash == nil:
		fail("", fmt.Errorf("wheel %q has no hash: one from %s needs one", name, pkg.Source))
	case forbidden && w.Hash != nil:
		fail("hash", fmt.Errorf("wheel %q has a hash: one from %s can't have one", name, pkg.Source))
	}
}

// sdist reads a source distribution; that of an archive has only a hash.
func (p *parser) sdist(w *fileWire, pkg *Package, in path) *Sdist {
	s := &Sdist{Size: fileSize(w)}
	if w.URL != nil {
		s.URL = *w.URL
	} else if w.Path != nil {
		s.Path = *w.Path
	}
	var err error
	if s.Hash, err = fileHash(w); err != nil {
		p.problems.add(in.at("hash"), "package %q: %w", pkg, err)
	}
	return s
}

func fileHash(w *fileWire) (Hash, error) {
	if w.Hash == nil {
		return Hash{}, nil
	}
	return ParseHash(*w.Hash)
}

func fileSize(w *fileWire) int64 {
	if w.Size == nil {
		return -1
	}
	return int64(*w.Size)
}

// urlFilename is the last segment of a URL's path, percent-decoded, without query and fragment.
func urlFilename(s string) (string, error) {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	segment := s[strings.LastIndexByte(s, '/')+1:]
	if !strings.Contains(segment, "%") {
		return segment, nil
	}
	name, err := url.PathUnescape(segment)
	if err != nil {
		return "", fmt.Errorf("file name of %q: %w", segment, err)
	}
	return name, nil
}

// checkWheelVersion wants the version of the package, or that version with a local part added (mod.rs:3564).
func checkWheelVersion(f tag.Filename, version pep440.Version) error {
	if version.IsZero() || f.Version == version.String() {
		return nil
	}
	v, err := pep440.Parse(f.Version)
	if err != nil {
		return fmt.Errorf("wheel %q: %w", f, err)
	}
	if !v.Equal(version) && !v.WithoutLocal().Equal(version) {
		return fmt.Errorf("wheel %q: its version is %s and not the package's", f, f.Version)
	}
	return nil
}
