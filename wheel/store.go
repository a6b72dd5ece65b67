package wheel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/internal/transport"
	"vpk/wheel/tag"
)

// The kinds of entries that this room keeps in the cache. Keys of wheels and indexes are SHA-256 of the wheel in
// hexadecimal; of aliases, algorithm and digest.
var (
	wheels  = cas.Kind{Name: "wheels", Version: 1, Durable: true}
	indexes = cas.Kind{Name: "wheel-indexes", Version: 1}
	aliases = cas.Kind{Name: "wheel-aliases", Version: 1}
)

// Downloads are the kinds of what comes from elsewhere, and is not derived here.
func Downloads() []cas.Kind { return []cas.Kind{wheels, aliases} }

// Ref says which wheel: what a lock knows of it.
type Ref struct {
	Filename tag.Filename
	// URL to download it from, or Path of a local file. One of them is set; with both, Path counts.
	URL, Path string
	// Hash of the whole file. It may be the zero Hash only with a Path.
	Hash Hash
	// Size in bytes, 0 if not known.
	Size int64
}

// Options of a Store. The zero value of each field is its default.
type Options struct {
	// Progress hears of downloads and of wrong sizes; nil means nobody.
	Progress progress.Reporter
	// Mirror gives the places where the file of a URL is looked for in its place, in this order: http and https URLs, and
	// absolute paths. None means the URL itself. A nil Mirror has none for any.
	Mirror func(rawURL string, file tag.Filename) []string
	// Parallel is how many members of new wheels are inflated at once, over all wheels; 0 means GOMAXPROCS.
	Parallel int
}

// Store gets wheels. It is safe for concurrent use.
type Store struct {
	cache    *cas.Store
	client   *transport.Client
	mirror   func(rawURL string, file tag.Filename) []string
	progress progress.Reporter
	slots    *semaphore.Weighted
}

// NewStore makes a Store over a cache. Without a client only what is local can be got.
func NewStore(cache *cas.Store, client *transport.Client, opts Options) *Store {
	if opts.Progress == nil {
		opts.Progress = progress.Discard
	}
	if opts.Parallel <= 0 {
		opts.Parallel = runtime.GOMAXPROCS(0)
	}
	if opts.Mirror == nil {
		opts.Mirror = func(string, tag.Filename) []string { return nil }
	}
	return &Store{cache: cache, client: client, mirror: opts.Mirror, progress: opts.Progress, slots: semaphore.NewWeighted(int64(opts.Parallel))}
}

// Fetch gives a wheel: from the cache, else downloaded or copied, verified and proved. The caller closes it. Errors name
// the file and have the kinds fault.Integrity (wrong hash, bad archive) or fault.Network, or are the context's.
//
// A Path without a hash is read each time; the cache then keeps its members' facts.
func (s *Store) Fetch(ctx context.Context, ref Ref) (*Wheel, error) {
	w, err := s.fetch(ctx, ref)
	switch {
	case err == nil:
		return w, nil
	case errors.Is(err, transport.ErrOffline):
		return nil, err // it names the wheel
	}
	// Members go through scratch files.
	return nil, fmt.Errorf("fetch wheel %q: %w", ref.Filename, cas.Fault(err))
}

// fetch is Fetch; its errors do not name the wheel.
func (s *Store) fetch(ctx context.Context, ref Ref) (*Wheel, error) {
	if ref.Hash.IsZero() {
		if ref.Path == "" {
			return nil, fault.New(fault.Integrity, "lock again with an index that gives hashes", "there is no hash to verify the download with")
		}
		return s.makeFrom(ctx, ref)
	}
	if _, err := ref.Hash.new(); err != nil {
		return nil, fault.Wrap(fault.Integrity, "lock again with an index that gives SHA-256 hashes", err)
	}
	if w, err := s.cached(ctx, ref); w != nil || err != nil {
		return w, err
	}
	if err := s.Available(ref); err != nil {
		return nil, err
	}
	unlock, err := s.cache.Lock(ctx, wheels, lockName(ref.Hash))
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Perhaps it came while we waited.
	if w, err := s.cached(ctx, ref); w != nil || err != nil {
		return w, err
	}
	return s.makeFrom(ctx, ref)
}

// Available tells at once which wheels could not be got because the network is off: an error of the kind fault.Network
// that lists them all, sorted; nil when online.
func (s *Store) Available(refs ...Ref) error {
	if s.client != nil && !s.client.Offline() {
		return nil
	}
	var missing []string
	for _, ref := range refs {
		if s.isHere(ref) {
			continue
		}
		if sum, ok := s.lookup(ref.Hash); ok {
			if _, err := s.cache.Find(wheels, sum); err == nil {
				continue
			}
		}
		missing = append(missing, ref.Filename.String())
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	return fault.New(fault.Network, "run once with the network, to fill the cache",
		"not in the cache, and network access is turned off: %s: %w", strings.Join(missing, ", "), transport.ErrOffline)
}

// isHere tells a wheel of this machine, or one that a mirror may have on this machine.
func (s *Store) isHere(ref Ref) bool {
	return slices.ContainsFunc(s.places(ref), func(place Ref) bool {
		if place.Path == "" || place.Path == ref.Path {
			return place.Path != ""
		}
		_, err := os.Stat(place.Path)
		return err == nil
	})
}

// Lookup gives a wheel that is in the cache, nil where it is not: nothing is downloaded or copied. The caller closes it.
func (s *Store) Lookup(ctx context.Context, ref Ref) (*Wheel, error) {
	if ref.Hash.IsZero() {
		return nil, nil
	}
	w, err := s.cached(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("look up wheel %q: %w", ref.Filename, err)
	}
	return w, nil
}

// Use says that wheels are used, those that are in the cache, although none is opened.
func (s *Store) Use(refs ...Ref) {
	for _, ref := range refs {
		if sum, ok := s.lookup(ref.Hash); ok {
			_, _ = s.cache.Find(wheels, sum) // which notes it
		}
	}
}

// lockName makes one name of a hash.
func lockName(h Hash) string { return h.Algorithm + "-" + h.Hex }

// lookup gives the SHA-256 of a wheel that was here once.
func (s *Store) lookup(h Hash) (string, bool) {
	if h.Algorithm == "sha256" {
		return h.Hex, true
	}
	data, err := s.cache.Record(aliases, lockName(h))
	if err != nil {
		return "", false
	}
	return string(data), true
}

// cached gives a wheel that is in the cache, nil if it is not there or not whole.
func (s *Store) cached(ctx context.Context, ref Ref) (*Wheel, error) {
	sum, ok := s.lookup(ref.Hash)
	if !ok {
		return nil, nil
	}
	path, err := s.cache.Find(wheels, sum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	span := trace.Start(ctx, trace.LookUp, ref.Filename.String())
	index, err := s.readIndex(sum)
	span.End()
	if err != nil {
		return nil, err
	}
	if index == nil {
		if index, err = s.reindex(ctx, ref.Filename.String(), sum, path); err != nil {
			return nil, err
		}
	}
	if index == nil || index.ArchiveSize != stat.Size() {
		s.progress.Detail("wheel %s was damaged in the cache and is got again", ref.Filename)
		return nil, s.discard(sum)
	}
	w := s.open(ref, sum, path, index)
	w.Cached = true
	return w, nil
}

// readIndex is nil where there is no record, or none that can be used.
func (s *Store) readIndex(sum string) (*Index, error) {
	data, err := s.cache.Record(indexes, sum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	index, err := decodeIndex(data)
	if err != nil {
		return nil, s.cache.Remove(indexes, sum)
	}
	return index, nil
}

// reindex makes the record of a wheel that is in the cache without one. The wheel is nil if it is not what its name says.
func (s *Store) reindex(ctx context.Context, name, sum, path string) (*Index, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	sums := newSums(Hash{})
	size, err := copyContext(ctx, sums, file)
	if err != nil {
		return nil, err
	}
	if sums.sha256() != sum {
		return nil, nil
	}
	index, err := s.index(ctx, name, file, size)
	if err != nil {
		return nil, err
	}
	return index, s.cache.PutRecord(indexes, sum, index.encode())
}

// index proves an archive; members go through scratch files of the cache where they must be read twice.
func (s *Store) index(ctx context.Context, name string, file *os.File, size int64) (*Index, error) {
	span := trace.Start(ctx, trace.Index, name)
	defer span.End()
	dir, remove, err := s.cache.TempDir("members")
	if err != nil {
		return nil, err
	}
	defer func() { _ = remove() }()
	pass := indexing{archive: file, size: size, slots: s.slots, span: span, scratch: func() (*os.File, error) { return os.CreateTemp(dir, "") }}
	return pass.run(ctx)
}

func (s *Store) discard(sum string) error {
	return errors.Join(s.cache.Remove(wheels, sum), s.cache.Remove(indexes, sum))
}

func (s *Store) open(ref Ref, sum, path string, index *Index) *Wheel {
	w := newWheel(ref.Filename, sum, index)
	w.archive.path = path
	w.archive.discard = func() error { return s.discard(sum) }
	return w
}
