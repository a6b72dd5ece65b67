package cas

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
)

// below are the caches below one, and what this process knows of them.
type below struct {
	dirs []string
	// kinds are the names of directories of those kinds that are looked for; nil means all.
	kinds map[string]bool

	mu       sync.Mutex
	shadowed map[string]bool            // paths that are looked at no more
	found    map[string]map[string]bool // keys by kind
}

func newBelow(dirs []string) *below {
	return &below{dirs: slices.Clone(dirs), shadowed: map[string]bool{}, found: map[string]map[string]bool{}}
}

// only is the same without other kinds than these.
func (b *below) only(kinds []Kind) *below {
	if b == nil {
		return nil
	}
	some := newBelow(b.dirs)
	some.kinds = map[string]bool{}
	for _, k := range kinds {
		some.kinds[k.dir()] = b.kinds == nil || b.kinds[k.dir()]
	}
	return some
}

// shadowKind says of an entry of a lower cache that it is damaged, by its path, as long as the text of it (identity) is the same.
var shadowKind = Kind{Name: "fallback-damaged", Version: 1}

// identity tells a file from one that is put into its place later.
func identity(info fs.FileInfo) string {
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}

// findBelow is the path of an entry in a lower cache, empty where none has it that is worth a look. A lower cache that can't be
// read has nothing.
func (s *Store) findBelow(k Kind, key string) string {
	if s.below == nil || s.below.kinds != nil && !s.below.kinds[k.dir()] || k == shadowKind {
		return ""
	}
	for _, dir := range s.below.dirs {
		path := pathIn(dir, k, key)
		info, err := os.Lstat(path)
		if err != nil || s.isShadowed(path, info) {
			continue
		}
		s.below.mu.Lock()
		defer s.below.mu.Unlock()
		if s.below.found[k.Name] == nil {
			s.below.found[k.Name] = map[string]bool{}
		}
		s.below.found[k.Name][key] = true
		return path
	}
	return ""
}

func (s *Store) isShadowed(path string, info fs.FileInfo) bool {
	s.below.mu.Lock()
	known := s.below.shadowed[path]
	s.below.mu.Unlock()
	if known {
		return true
	}
	said, err := s.Record(shadowKind, Key(path))
	return err == nil && string(said) == identity(info)
}

// shadow sees to it that an entry of a lower cache, the one that Find gives, is looked at no more. A cache that can't be
// written remembers it in this process alone.
func (s *Store) shadow(k Kind, key string) error {
	path := s.findBelow(k, key)
	if path == "" {
		return nil
	}
	s.below.mu.Lock()
	s.below.shadowed[path] = true
	delete(s.below.found[k.Name], key)
	s.below.mu.Unlock()
	if info, err := os.Lstat(path); err == nil {
		_ = s.PutRecord(shadowKind, Key(path), []byte(identity(info)))
	}
	return nil
}

// Found is how many entries of a kind lower caches had.
type Found struct {
	Kind    string
	Entries int
}

// FoundBelow counts what lower caches had so far, by kind.
func (s *Store) FoundBelow() []Found {
	if s.below == nil {
		return nil
	}
	s.below.mu.Lock()
	defer s.below.mu.Unlock()
	var list []Found
	for _, kind := range slices.Sorted(maps.Keys(s.below.found)) {
		if n := len(s.below.found[kind]); n > 0 {
			list = append(list, Found{kind, n})
		}
	}
	return list
}

// Below are the directories of the lower caches.
func (s *Store) Below() []string {
	if s.below == nil {
		return nil
	}
	return slices.Clone(s.below.dirs)
}
