package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/sandbox"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/lockfile/pep508"
	"vpk/pyc"
	"vpk/wheel"
)

// cacheKinds are all kinds that this program keeps in the cache.
func cacheKinds() []cas.Registration {
	own := cas.Registration{Kind: environmentKind, Verify: cas.IsJSON[environmentRecord]}
	return append(slices.Concat(wheel.Kinds(), pyc.Kinds(), layer.Kinds(), base.Kinds(), sandbox.Kinds()), own)
}

// Caretaker looks after a cache: it shows, proves and removes what is in it.
type Caretaker struct {
	Dir       string
	Fallbacks []string
	// Force removes without a look at who uses the cache.
	Force      bool
	StaleSince time.Time // scratch files older than this belong to nobody
	Reporter   progress.Reporter
}

// CacheInfo is what a cache holds. Sizes are what files take of the disk, in bytes.
type CacheInfo struct {
	CacheUsage
	Fallbacks []CacheUsage `json:"fallbacks"`
}

// CacheUsage is what is in a cache directory.
type CacheUsage struct {
	Dir string `json:"dir"`
	// Exists is false where there is no cache in the directory.
	Exists  bool        `json:"exists"`
	Kinds   []KindUsage `json:"kinds"`
	Entries int         `json:"entries"`
	Size    int64       `json:"size"`
}

// KindUsage is what the entries of a kind are.
type KindUsage struct {
	Kind     string    `json:"kind"`
	Version  int       `json:"version"`
	Entries  int       `json:"entries"`
	Size     int64     `json:"size"`
	LastUsed time.Time `json:"last_used"` // to the hour
}

// Info tells what the cache and those below it hold.
func (c Caretaker) Info(ctx context.Context) (*CacheInfo, error) {
	own, err := cacheUsage(ctx, c.Dir)
	if err != nil {
		return nil, err
	}
	info := &CacheInfo{CacheUsage: own, Fallbacks: []CacheUsage{}}
	for _, dir := range c.Fallbacks {
		lower, err := cacheUsage(ctx, dir)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil { // it is not the user's to mend
			c.Reporter.Note("%s, which VPK_CACHE_FALLBACK names, is not used: %v", dir, err)
		}
		info.Fallbacks = append(info.Fallbacks, lower)
	}
	return info, nil
}

func cacheUsage(ctx context.Context, dir string) (CacheUsage, error) {
	u := CacheUsage{Dir: dir, Kinds: []KindUsage{}}
	if abs, err := filepath.Abs(dir); err == nil {
		u.Dir = abs
	}
	err := cas.Check(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	var kinds []cas.Usage
	if err == nil {
		kinds, err = cas.Summary(ctx, dir)
	}
	if err != nil {
		return u, err
	}
	u.Exists = true
	for _, k := range kinds {
		u.Kinds = append(u.Kinds, KindUsage{k.Kind, k.Version, k.Entries, k.Size, k.Used.UTC().Truncate(time.Second)})
		u.Entries, u.Size = u.Entries+k.Entries, u.Size+k.Size
	}
	return u, nil
}

// open opens the cache; nil where there is none, which is told.
func (c Caretaker) open() (*cas.Store, error) {
	store, err := cas.OpenExisting(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		c.Reporter.Note("there is no cache at %s", c.Dir)
		return nil, nil
	}
	return store, fault.Wrap(faultOr(err, fault.Delivery), "", err)
}

// faultOr is the kind of an error, and that one for an error without any.
func faultOr(err error, kind fault.Kind) fault.Kind {
	if k := fault.KindOf(err); k != fault.Other {
		return k
	}
	return kind
}

// exclude waits until nobody uses the cache.
func (c Caretaker) exclude(ctx context.Context, store *cas.Store) error {
	if c.Force {
		return nil
	}
	err := store.Exclude(ctx, func() {
		c.Reporter.Note("the cache is in use: waiting for other vpk processes to finish (--force does not wait)")
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.Wrap(fault.Delivery, "", err)
}

// alone does what removes entries of the cache, while nobody uses it. Nothing is done, and nothing removed, where there is no cache.
func (c Caretaker) alone(ctx context.Context, remove func(*cas.Store) (cas.Removed, error)) (cas.Removed, error) {
	store, err := c.open()
	if store == nil || err != nil {
		return cas.Removed{}, err
	}
	defer func() { _ = store.Release() }()
	if err := c.exclude(ctx, store); err != nil {
		return cas.Removed{}, err
	}
	removed, err := remove(store)
	if ctx.Err() != nil {
		return removed, ctx.Err()
	}
	return removed, fault.Wrap(fault.Delivery, "", err)
}

// Prune removes what rules say, and stale scratch.
func (c Caretaker) Prune(ctx context.Context, rules cas.Rules) (cas.Removed, error) {
	return c.alone(ctx, func(store *cas.Store) (cas.Removed, error) {
		if !rules.DryRun {
			if err := store.Sweep(c.StaleSince); err != nil {
				return cas.Removed{}, err
			}
		}
		return store.Prune(ctx, cacheKinds(), rules)
	})
}

// Clean removes everything, or, of packages that are named, their wheels and what is known of these.
func (c Caretaker) Clean(ctx context.Context, packages []string) (cas.Removed, error) {
	names := make([]string, len(packages))
	for i, name := range packages {
		var err error
		if names[i], err = pep508.ParseName(name); err != nil {
			return cas.Removed{}, fault.Wrap(fault.Usage, "name packages, without versions", err)
		}
	}
	return c.alone(ctx, func(store *cas.Store) (cas.Removed, error) {
		if len(names) == 0 {
			return store.Clean(ctx)
		}
		list, err := wheel.Entries(ctx, store, names)
		if err != nil {
			return cas.Removed{}, err
		}
		return store.Discard(ctx, list)
	})
}

// Verification is what Verify found.
type Verification struct {
	Dir     string `json:"dir"`
	Checked int    `json:"checked"` // entries
	// Damaged are discarded: they are made again when they are needed.
	Damaged   []Damaged `json:"damaged"`
	Unchecked []Damaged `json:"unchecked"`
}

// Damaged is an entry that is not known to be what it must be.
type Damaged struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Key     string `json:"key"`
	Reason  string `json:"reason"`
}

// Verify proves each entry of the cache, and discards what is damaged.
func (c Caretaker) Verify(ctx context.Context) (*Verification, error) {
	v := &Verification{Dir: c.Dir, Damaged: []Damaged{}, Unchecked: []Damaged{}}
	store, err := c.open()
	if store == nil || err != nil {
		return v, err
	}
	v.Dir = store.Dir()
	defer func() { _ = store.Release() }()
	err = store.Share(ctx, func() { c.Reporter.Note("waiting for another vpk, which removes entries from the cache") })
	if err != nil {
		return v, err
	}
	list, err := store.Entries(ctx)
	if err != nil {
		return v, err
	}
	var total int64
	for _, e := range list {
		total += e.Size
	}
	task := c.Reporter.Task("verify cache", total)
	checked, findings, err := store.Verify(ctx, list, cacheKinds(), task.Add)
	task.Done()
	if err != nil {
		return v, err
	}
	v.Checked = checked
	var damaged []cas.Entry
	for _, f := range findings {
		reason := Damaged{f.Kind, f.Version, f.Key, f.Err.Error()}
		if errors.Is(f.Err, cas.ErrDamaged) {
			v.Damaged, damaged = append(v.Damaged, reason), append(damaged, f.Entry)
		} else {
			v.Unchecked = append(v.Unchecked, reason)
		}
	}
	return v, c.discardDamaged(ctx, store, damaged)
}

// discardDamaged removes entries that are damaged still once nobody else uses the cache: they may have been made again.
func (c Caretaker) discardDamaged(ctx context.Context, store *cas.Store, list []cas.Entry) error {
	if len(list) == 0 {
		return nil
	}
	if err := c.exclude(ctx, store); err != nil {
		return err
	}
	_, findings, err := store.Verify(ctx, list, cacheKinds(), func(int64) {})
	if err != nil {
		return err
	}
	list = list[:0]
	for _, f := range findings {
		if errors.Is(f.Err, cas.ErrDamaged) {
			list = append(list, f.Entry)
		}
	}
	if _, err := store.Discard(ctx, list); err != nil {
		return fault.Wrap(fault.Delivery, "", fmt.Errorf("discard damaged entries: %w", err))
	}
	return nil
}
