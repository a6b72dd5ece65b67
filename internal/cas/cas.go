// Package cas is the one mechanism under every cache of vpk: files, records and directories under names derived from
// what they were made from.
//
// Layout: DIR/<kind>-v<version>/<first two of key>/<key>; DIR/tmp holds what is being written, DIR/locks the lock files,
// DIR/CACHEDIR.TAG says that backups may leave it out. A kind belongs to one room, which says what its keys mean and
// raises the version when its form changes; entries of other versions are never read.
//
// Rules. An entry appears whole, by rename, or not at all; after fsync where the kind is Durable. It never changes
// afterwards: two processes that make the same entry make the same bytes, and the last rename wins. Records carry their
// own SHA-256, checked at each read; files are checked by the room that reads them, against a digest that it knows. A
// damaged or missing entry is simply made again. Any number of processes may share a directory. Nothing here knows the
// network, and nothing in the cache is ever hard-linked to an output. A disk that is full or read-only is an error of kind
// fault.Delivery (Fault).
//
// Whose directory. The tag is written where nothing lies but what vpk makes. Without it, and with something foreign beside the
// entries (a directory that was named by mistake), scratch is not swept and nothing of Prune, Clean and Verify is done; and
// whatever these find in a cache that has not the form of an entry stays.
//
// Use. Each process that opens a cache to work with it shares the lock DIR/locks/in-use (Share) for as long as it may open what it
// has found there; who removes entries holds it alone (Exclude). So nothing is removed that a running process uses, except entries
// found damaged, which are of no use. The modification time of an entry is when it was used last, to the hour: finding one sets it
// when it is older than that (or in the future), which costs nothing else, and where that can't be done it stays.
//
// Prune removes the least recently used. Entries of one key whose kinds say so (Registration.With) count as one: they leave together. All
// others are harmless alone: whoever finds one without the other makes the other again.
//
// Looks. Who has read files, and wants to know later whether they can still be believed, remembers how they looked (LookAt): what looks the same
// in the same boot was not written since, once it is settled (IsSettled). It is the room that decides for what that is enough.
//
// Lower caches (Fallback) are looked into, in their order, for what the cache does not have. They are never written, locked,
// touched or removed from, need not be writable, and may belong to another user. They are believed as much as the cache itself:
// records by their checksum, all else by the room that reads it. What proves damaged there is made again in the cache; a
// record (kind fallback-damaged) keeps it from being looked at again for as long as it stays as it is there.
package cas

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"vpk/internal/fault"
)

// Kind is one sort of entry.
type Kind struct {
	Name    string
	Version int
	// Durable entries are synced to the disk before they appear, because making them again is expensive.
	Durable bool
}

// dir is the name of the directory with a kind's entries.
func (k Kind) dir() string { return fmt.Sprintf("%s-v%d", k.Name, k.Version) }

// Store is a cache directory.
type Store struct {
	dir   string
	own   bool      // nothing of others lies in the directory
	used  time.Time // when what is found is used; zero: nobody says
	below *below    // nil where there is nothing
	held  *flock.Flock
}

// Option of Open.
type Option func(*Store)

// Used says what time it is: entries that are found count as used then. Without it, finding one leaves no trace.
func Used(at time.Time) Option { return func(s *Store) { s.used = at } }

// Fallback names lower caches, which are looked into in this order.
func Fallback(dirs ...string) Option {
	return func(s *Store) {
		if len(dirs) > 0 {
			s.below = newBelow(dirs)
		}
	}
}

// Open makes the directory if need be.
func Open(dir string, options ...Option) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	for _, sub := range []string{"tmp", "locks"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("open cache: %w", err)
		}
	}
	s := &Store{dir: dir}
	for _, option := range options {
		option(s)
	}
	s.own, err = mark(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return s, nil
}

// Key derives a key from everything that an entry depends on. The parts are framed: ("ab", "c") and ("a", "bc") differ.
func Key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fault gives an error of writing into the cache its kind and says what to do, where the disk is full or read-only; any other
// stays as it is. What is written through this package has it already, scratch directories are their user's affair.
func Fault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		return fault.Wrap(fault.Delivery, "free some space, or name another place for the cache with VPK_CACHE_DIR", err)
	}
	return err
}

// Dir is the cache's own directory.
func (s *Store) Dir() string { return s.dir }

// Path is where an entry of the cache's own is or would be; Find tells where one is. Keys are names made by Key or hexadecimal
// digests: at least three characters, letters, digits, '.', '_' and '-' only.
func (s *Store) Path(k Kind, key string) (string, error) {
	if !isKey(key) {
		return "", fmt.Errorf("cache key %q of kind %q is not a key", key, k.Name)
	}
	return pathIn(s.dir, k, key), nil
}

// pathIn is the path of an entry in a cache directory.
func pathIn(dir string, k Kind, key string) string { return filepath.Join(dir, k.dir(), key[:2], key) }

func isKey(key string) bool {
	if len(key) < 3 || key[0] == '.' {
		return false
	}
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Find gives the path of an entry, here or in a lower cache; fs.ErrNotExist when there is none. It counts as used.
func (s *Store) Find(k Kind, key string) (string, error) {
	path, err := s.Path(k, key)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(path)
	if err == nil {
		s.touch(path, info)
		return path, nil
	}
	if lower := s.findBelow(k, key); lower != "" && errors.Is(err, fs.ErrNotExist) {
		return lower, nil
	}
	return "", err
}

// touchAfter is how exact the time of an entry's last use is.
const touchAfter = time.Hour

// touch notes that an entry of the cache's own is used. Nothing depends on its success.
func (s *Store) touch(path string, info fs.FileInfo) {
	if age := s.used.Sub(info.ModTime()); !s.used.IsZero() && (age > touchAfter || age < -touchAfter) {
		_ = os.Chtimes(path, time.Time{}, s.used)
	}
}

// OpenFile opens an entry that is a file; fs.ErrNotExist when there is none. Its name may be one in a lower cache.
func (s *Store) OpenFile(k Kind, key string) (*os.File, error) {
	path, err := s.Find(k, key)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Remove discards an entry, which may be a directory; one that does not exist is fine. Where a lower cache has it and this one
// does not, it is looked at no more.
func (s *Store) Remove(k Kind, key string) error {
	path, err := s.Path(k, key)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return s.shadow(k, key)
	}
	return s.remove(path)
}

// remove discards a file or directory of the cache.
func (s *Store) remove(path string) error {
	// Out of sight first, so that nobody sees half of a directory.
	grave, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "removed-")
	if err != nil {
		return fmt.Errorf("remove cache entry: %w", Fault(err))
	}
	err = os.Rename(path, filepath.Join(grave, "entry"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("remove cache entry: %w", Fault(err)), os.RemoveAll(grave))
	}
	return os.RemoveAll(grave)
}

// Fork makes a cache in dir, a directory on the same file system, that has the entries of some kinds in common with s and none of any
// other. What either adds of those kinds, both have; locks are each one's own.
func (s *Store) Fork(dir string, kinds ...Kind) (*Store, error) {
	fork, err := Open(dir, Used(s.used))
	if err != nil {
		return nil, err
	}
	fork.below = s.below.only(kinds)
	for _, k := range kinds {
		name := k.dir()
		if err := os.MkdirAll(filepath.Join(s.dir, name), 0o755); err != nil {
			return nil, fmt.Errorf("fork cache: %w", Fault(err))
		}
		if err := os.Symlink(filepath.Join(s.dir, name), filepath.Join(fork.dir, name)); err != nil {
			return nil, fmt.Errorf("fork cache: %w", Fault(err))
		}
	}
	return fork, nil
}

// TempDir makes a scratch directory on the cache's own file system. Until remove is called or the process ends no Sweep
// takes it away, whatever its time says.
func (s *Store) TempDir(prefix string) (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(filepath.Join(s.dir, "tmp"), prefix+"-")
	if err != nil {
		return "", nil, Fault(err)
	}
	held, err := os.Open(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return "", nil, errors.Join(fmt.Errorf("hold scratch directory: %w", err), held.Close(), os.RemoveAll(dir))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), held.Close()) }, nil
}

// Lock holds a name exclusively among processes and goroutines until unlock is called or the process ends. It is for
// work that should not be done twice at once; entries are safe without it.
func (s *Store) Lock(ctx context.Context, k Kind, key string) (unlock func(), err error) {
	lock := flock.New(filepath.Join(s.dir, "locks", k.Name+"-"+key))
	ok, err := lock.TryLockContext(ctx, 20*time.Millisecond)
	if err != nil || !ok {
		return nil, fmt.Errorf("lock cache entry %q: %w", k.Name+"/"+key, err)
	}
	// The file stays: to remove it would let two processes hold two files of one name.
	return func() { _ = lock.Unlock() }, nil
}

// Directory returns the path of an entry that is a directory, filling it first when there is none, here or in a lower cache: fill
// writes into a scratch directory, which is then renamed into place. Only one process fills at a time.
func (s *Store) Directory(ctx context.Context, k Kind, key string, fill func(dir string) error) (string, error) {
	path, err := s.Path(k, key)
	if err != nil {
		return "", err
	}
	if found, err := s.Find(k, key); err == nil {
		return found, nil
	}
	unlock, err := s.Lock(ctx, k, key)
	if err != nil {
		return "", err
	}
	defer unlock()
	if found, err := s.Find(k, key); err == nil {
		return found, nil
	}
	tmp, remove, err := s.TempDir(k.Name)
	if err != nil {
		return "", fmt.Errorf("fill cache directory: %w", Fault(err))
	}
	defer func() { _ = remove() }()
	root := filepath.Join(tmp, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", fmt.Errorf("fill cache directory: %w", Fault(err))
	}
	if err := fill(root); err != nil {
		return "", Fault(err)
	}
	// What fills a directory may give it any time, and this one is that of its last use.
	if err := touchNew(root); err != nil {
		return "", fmt.Errorf("fill cache directory: %w", Fault(err))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("fill cache directory: %w", Fault(err))
	}
	if err := os.Rename(root, path); err != nil {
		return "", fmt.Errorf("fill cache directory: %w", Fault(err))
	}
	return path, nil
}

// touchNew gives a path the time that it is now by the file system's clock, as every new file has it.
func touchNew(path string) error { return os.NewSyscallError("utimes", unix.Utimes(path, nil)) }

// Sweep removes scratch files that were last touched before t: what processes that were killed left behind. What can't be
// removed, another user's say, stays; and so does everything in a directory that is not a cache's alone.
func (s *Store) Sweep(before time.Time) error {
	if !s.own {
		return nil
	}
	tmp := filepath.Join(s.dir, "tmp")
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return fmt.Errorf("sweep cache: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			sweep(filepath.Join(tmp, e.Name()))
		}
	}
	return nil
}

// sweep removes what nobody holds.
func sweep(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		_ = os.RemoveAll(path)
	}
}
