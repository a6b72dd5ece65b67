package cas

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Rules say what Prune removes.
type Rules struct {
	// Before: what was used last before this goes; the zero time is none.
	Before time.Time
	// MaxSize is how many bytes of the disk entries may take; beyond it the least recently used go. Negative: any number.
	MaxSize int64
	// DryRun removes nothing.
	DryRun bool
}

// Removed is what went, and what is left.
type Removed struct {
	Entries int
	Size    int64 // of the disk, in bytes
	Left    int64
}

// companions are entries that leave together.
type companions struct {
	entries []Entry
	size    int64
	used    time.Time
}

// Prune removes the entries that rules say, of all kinds and versions, the least recently used first. What can't be removed stays, and is the
// error when all else is done. Exclude should have been called.
func (s *Store) Prune(ctx context.Context, kinds []Registration, rules Rules) (Removed, error) {
	list, err := s.Entries(ctx)
	if err != nil {
		return Removed{}, err
	}
	groups := together(list, kinds)
	slices.SortStableFunc(groups, func(a, b companions) int { return a.used.Compare(b.used) })
	var total int64
	for _, g := range groups {
		total += g.size
	}
	kept := total
	var going []Entry
	for _, g := range groups {
		if !g.used.Before(rules.Before) && (rules.MaxSize < 0 || kept <= rules.MaxSize) {
			break // and so are all that follow, which were used later
		}
		kept -= g.size
		going = append(going, g.entries...)
	}
	removed, err := s.removeAll(ctx, going, rules.DryRun)
	removed.Left = total - removed.Size
	return removed, err
}

// together makes groups of the entries whose kinds belong to others, and of all others groups of one.
func together(list []Entry, kinds []Registration) []companions {
	leader := map[string]string{}
	for _, k := range kinds {
		if k.With != (Kind{}) {
			leader[k.Kind.dir()] = k.With.dir()
		}
	}
	var groups []companions
	at := map[[2]string]int{}
	for _, e := range list {
		name := [2]string{cmp.Or(leader[e.dir()], e.dir()), e.Key}
		n, ok := at[name]
		if !ok {
			n = len(groups)
			at[name], groups = n, append(groups, companions{})
		}
		g := &groups[n]
		g.entries, g.size = append(g.entries, e), g.size+e.Size
		if e.Used.After(g.used) {
			g.used = e.Used
		}
	}
	return groups
}

// removeAll removes entries.
func (s *Store) removeAll(ctx context.Context, list []Entry, dryRun bool) (Removed, error) {
	var removed Removed
	var errs []error
	for _, e := range list {
		if ctx.Err() != nil {
			return removed, errors.Join(append(errs, ctx.Err())...)
		}
		if !dryRun {
			if err := s.remove(e.path); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		removed.Entries, removed.Size = removed.Entries+1, removed.Size+e.Size
	}
	return removed, errors.Join(errs...)
}

// Clean removes all entries and all scratch that nobody holds. The directory stays, with its tag and the locks, by which others may be
// waiting, and with it whatever is not vpk's. Exclude should have been called.
func (s *Store) Clean(ctx context.Context) (Removed, error) {
	list, err := s.Entries(ctx)
	if err != nil {
		return Removed{}, err
	}
	removed, err := s.removeAll(ctx, list, false)
	if err != nil {
		return removed, err
	}
	// Directories that are empty now; others stay by themselves.
	err = eachKind(s.dir, func(kind Entry) error {
		shards, err := os.ReadDir(kind.path)
		if err != nil {
			return err
		}
		for _, shard := range shards {
			if shard.IsDir() {
				_ = os.Remove(filepath.Join(kind.path, shard.Name()))
			}
		}
		_ = os.Remove(kind.path)
		return nil
	})
	scratch, readErr := os.ReadDir(filepath.Join(s.dir, "tmp"))
	if s.own {
		for _, e := range scratch {
			sweep(filepath.Join(s.dir, "tmp", e.Name()))
		}
	}
	return removed, errors.Join(err, readErr)
}

// Discard removes some entries. Exclude should have been called.
func (s *Store) Discard(ctx context.Context, list []Entry) (Removed, error) {
	return s.removeAll(ctx, list, false)
}
