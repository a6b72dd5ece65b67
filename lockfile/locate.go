package lockfile

import (
	"errors"
	"fmt"
	"net/url"
	pathpkg "path"
	"strings"
)

// locate finds where the chosen wheel is (mod.rs:2791 and :4872). Errors do not show URLs: they may hold a password.
func (s *Selected) locate() error {
	w, source := s.Wheel, s.Package.Source
	switch source.Kind {
	case Path:
		s.Path = source.Location
		return nil
	case URL:
		address := w.URL
		if address == "" {
			address = source.Location
		}
		s.DirectURL = direct(source)
		return s.at(address)
	}
	switch {
	case w.URL != "":
		return s.at(w.URL)
	case w.Path == "":
		return fmt.Errorf("the lock does not say where %q is", w.Filename)
	case pathpkg.IsAbs(w.Path):
		s.Path = w.Path
		return nil
	}
	switch index := source.Location; {
	case isRemote(index):
		return fmt.Errorf("the lock has a path for %q, and its index is not on this machine", w.Filename)
	case strings.Contains(index, "://"):
		dir, err := filePath(index)
		s.Path = pathpkg.Join(dir, w.Path)
		return err
	default:
		s.Path = pathpkg.Join(index, w.Path)
		return nil
	}
}

// at takes a URL of HTTP or of a file.
func (s *Selected) at(address string) (err error) {
	if isRemote(address) {
		s.URL = address
		return nil
	}
	s.Path, err = filePath(address)
	return err
}

// filePath is the path of a file: URL of this machine.
func filePath(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the address of its wheel is no URL")
	}
	if !strings.EqualFold(u.Scheme, "file") || u.Host != "" && u.Host != "localhost" || !pathpkg.IsAbs(u.Path) {
		return "", errors.New("the address of its wheel is neither http, https nor a file of this machine")
	}
	return u.Path, nil
}

// direct is the address of a source as PEP 610 records it: without credentials, and without a query, which may be a signature; ""
// for a file of this machine.
func direct(source Source) string {
	u, err := url.Parse(source.Location)
	if err != nil || !isRemote(source.Location) {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}
