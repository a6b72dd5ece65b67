package base

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"vpk/internal/cas"
)

// imageFile is an image archive: a tar whose members are read where they lie.
type imageFile struct {
	path    string
	members map[string]member
}

// member is where the content of a member lies, or what it links to.
type member struct {
	offset, size int64
	link         string
}

// openImageFile reads the headers of an archive. One that is compressed is first inflated into the cache.
func openImageFile(ctx context.Context, file string, cache *cas.Store) (*imageFile, error) {
	plain, err := plainFile(ctx, file, cache)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(plain)
	if err != nil {
		return nil, broken("%w", err)
	}
	defer func() { _ = f.Close() }()
	a := &imageFile{path: plain, members: map[string]member{}}
	archive := tar.NewReader(f)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, broken("read archive: %w", err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(a.members) >= maxMembers {
			return nil, broken("read archive: it has more than %d members", maxMembers)
		}
		name := clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
			// The archive's reader takes headers in whole blocks, never more: the file stands where the content begins.
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, fmt.Errorf("read archive: %w", err)
			}
			a.members[name] = member{offset: at, size: header.Size}
		case tar.TypeSymlink:
			a.members[name] = member{link: clean(path.Join(path.Dir(name), header.Linkname))}
		case tar.TypeLink:
			a.members[name] = member{link: clean(header.Linkname)}
		}
	}
}

// find is a member, through its links.
func (a *imageFile) find(name string) (member, error) {
	for range maxLinks {
		m, ok := a.members[clean(name)]
		if !ok {
			return member{}, fmt.Errorf("find %q in archive: %w", name, fs.ErrNotExist)
		}
		if m.link == "" {
			return m, nil
		}
		name = m.link
	}
	return member{}, fmt.Errorf("find %q in archive: %w", name, ErrLoop)
}

// open opens a member, through its links.
func (a *imageFile) open(name string) (io.ReadCloser, error) {
	m, err := a.find(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, m.offset, m.size), f}, nil
}

// plainFile is the path of an archive that is not compressed: the file itself, or what it inflates to.
func plainFile(ctx context.Context, file string, cache *cas.Store) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", broken("%w", err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(f)
	if c, err := compressionOf(r); err != nil || c == uncompressed {
		if err != nil {
			err = broken("read archive: %w", err)
		}
		return file, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, untilDone(ctx, r)); err != nil {
		return "", fmt.Errorf("read archive: %w", err)
	}
	key := hex.EncodeToString(sum.Sum(nil))
	if name, err := cache.Record(kindArchiveNames, key); err == nil {
		plain, err := cache.Find(kindArchive, string(name))
		if err == nil && fileHas(plain, string(name)) {
			return plain, nil
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("read archive: %w", err)
	}
	r.Reset(f)
	return inflateFile(ctx, r, key, cache)
}

// inflateFile inflates an archive into the cache.
func inflateFile(ctx context.Context, r *bufio.Reader, key string, cache *cas.Store) (string, error) {
	w, err := cache.Create(kindArchive)
	if err != nil {
		return "", err
	}
	defer func() { _ = w.Close() }()
	plain, err := inflate(r)
	if err != nil {
		return "", broken("inflate archive: %w", err)
	}
	defer func() { _ = plain.Close() }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(untilDone(ctx, plain), MaxSize+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("inflate archive: %w", err)
	case n > MaxSize:
		return "", broken("inflate archive: it is larger than %d GiB", MaxSize>>30)
	}
	name := hex.EncodeToString(sum.Sum(nil))
	if err := w.Commit(name); err != nil {
		return "", err
	}
	if err := cache.PutRecord(kindArchiveNames, key, []byte(name)); err != nil {
		return "", err
	}
	return cache.Path(kindArchive, name)
}

// fileHas says whether a file is there and its bytes have a SHA-256.
func fileHas(path, sha string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && hex.EncodeToString(sum.Sum(nil)) == sha
}
