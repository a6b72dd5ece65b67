package wheel

import (
	"bufio"
	"bytes"
	"context"
	"path"
	"slices"
	"strings"

	"vpk/internal/cas"
	"vpk/lockfile/pep508"
)

// maxMetadata bounds the METADATA that is read for a name.
const maxMetadata = 16 << 20

// Entries are what a cache has of packages, by their normalised names: their wheels, what is known of these, and other names of
// them. A wheel that says no name belongs to none.
func Entries(ctx context.Context, cache *cas.Store, names []string) ([]cas.Entry, error) {
	list, err := cache.Entries(ctx)
	if err != nil {
		return nil, err
	}
	s := NewStore(cache, nil, Options{})
	chosen := map[string]bool{} // SHA-256
	for _, e := range list {
		if e.Kind != wheels.Name || e.Version != wheels.Version {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// One that is damaged is discarded in passing.
		w, err := s.cached(ctx, Ref{Hash: Hash{"sha256", e.Key}})
		if w == nil || err != nil {
			continue
		}
		chosen[e.Key] = slices.Contains(names, w.name())
		_ = w.Close()
	}
	return slices.DeleteFunc(list, func(e cas.Entry) bool {
		switch e.Kind {
		case wheels.Name, indexes.Name:
			return !chosen[e.Key]
		case aliases.Name:
			sum, err := cache.Record(aliases, e.Key)
			return err != nil || !chosen[string(sum)]
		}
		return true
	}), nil
}

// name is the normalised name that the METADATA of a wheel says, empty where it says none.
func (w *Wheel) name() string {
	for _, m := range w.members {
		if path.Base(m.Name()) != "METADATA" || !strings.HasSuffix(path.Dir(m.Name()), ".dist-info") {
			continue
		}
		data, err := w.ReadFile(m.Name(), maxMetadata)
		if err != nil {
			return ""
		}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan() && lines.Text() != ""; {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.EqualFold(key, "Name") {
				return pep508.NormalizeName(strings.TrimSpace(value))
			}
		}
	}
	return ""
}
