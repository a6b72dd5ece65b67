package cas

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Entry is an entry as it lies in a cache directory, of any kind and version.
type Entry struct {
	Kind    string
	Version int
	Key     string
	// Size is what it takes of the disk, with all that is in a directory.
	Size int64
	// Used is when it was used last, to the hour.
	Used time.Time

	path string
}

func (e Entry) dir() string { return Kind{Name: e.Kind, Version: e.Version}.dir() }

func (e Entry) String() string { return e.Kind + "/" + e.Key }

// Entries are all entries of the cache's own, sorted by kind, version and key. What has not the form of one is left out.
func (s *Store) Entries(ctx context.Context) ([]Entry, error) { return entries(ctx, s.dir) }

// entries walks a cache directory, in which others may be at work.
func entries(ctx context.Context, dir string) ([]Entry, error) {
	var list []Entry
	err := eachKind(dir, func(e Entry) error {
		shards, err := os.ReadDir(e.path)
		if err != nil {
			return err
		}
		for _, shard := range shards {
			if !shard.IsDir() || len(shard.Name()) != 2 {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			keys, err := os.ReadDir(filepath.Join(e.path, shard.Name()))
			if err != nil {
				return err
			}
			for _, key := range keys {
				if !isKey(key.Name()) || key.Name()[:2] != shard.Name() {
					continue
				}
				info, err := key.Info()
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				one := Entry{Kind: e.Kind, Version: e.Version, Key: key.Name(), Used: info.ModTime(), path: filepath.Join(e.path, shard.Name(), key.Name())}
				if one.Size, err = usage(ctx, one.path, info); err != nil {
					return err
				}
				list = append(list, one)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list cache: %w", err)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Key, b.Key))
	})
	return list, nil
}

// eachKind visits the directories of kinds; no link is followed.
func eachKind(dir string, visit func(Entry) error) error {
	kinds, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		m := kindDir.FindStringSubmatch(kind.Name())
		if m == nil || !kind.IsDir() {
			continue
		}
		version, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		if err := visit(Entry{Kind: m[1], Version: version, path: filepath.Join(dir, kind.Name())}); err != nil {
			return err
		}
	}
	return nil
}

// usage is what a file, or a directory with all in it, takes of the disk. A file with several names counts once. What
// vanishes meanwhile takes nothing.
func usage(ctx context.Context, path string, info fs.FileInfo) (int64, error) {
	if !info.IsDir() {
		n, _, _ := blocks(info)
		return n, nil
	}
	var total int64
	seen := map[uint64]bool{}
	err := filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		n, inode, several := blocks(info)
		if several && !info.IsDir() {
			if seen[inode] {
				return nil
			}
			seen[inode] = true
		}
		total += n
		return nil
	})
	return total, err
}

// blocks is what a file takes of the disk. File systems that keep small files elsewhere tell of no blocks.
func blocks(info fs.FileInfo) (size int64, inode uint64, several bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Size(), 0, false
	}
	if stat.Blocks == 0 {
		return info.Size(), stat.Ino, stat.Nlink > 1
	}
	return stat.Blocks * 512, stat.Ino, stat.Nlink > 1
}

// Usage is what the entries of a kind take.
type Usage struct {
	Kind    string
	Version int
	Entries int
	Size    int64     // of the disk, in bytes
	Used    time.Time // when one of them was used last
}

// Summary is what each kind takes in a cache directory, sorted by name and version. Nothing is written there.
func Summary(ctx context.Context, dir string) ([]Usage, error) {
	list, err := entries(ctx, dir)
	if err != nil {
		return nil, err
	}
	var kinds []Usage
	for _, e := range list {
		if n := len(kinds); n == 0 || kinds[n-1].Kind != e.Kind || kinds[n-1].Version != e.Version {
			kinds = append(kinds, Usage{Kind: e.Kind, Version: e.Version})
		}
		k := &kinds[len(kinds)-1]
		k.Entries, k.Size = k.Entries+1, k.Size+e.Size
		if e.Used.After(k.Used) {
			k.Used = e.Used
		}
	}
	return kinds, nil
}
