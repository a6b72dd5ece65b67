package base

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
)

// Kinds are what this room keeps in the cache.
func Kinds() []cas.Registration {
	return []cas.Registration{
		{Kind: kindManifest, Verify: cas.IsSHA256},
		{Kind: kindBlob, Verify: cas.IsSHA256},
		{Kind: kindTag, Verify: verifyTag},
		{Kind: kindArchive, Verify: cas.IsSHA256},
		{Kind: kindArchiveNames, Verify: cas.IsRecord},
		{Kind: kindFiles, Verify: verifyFiles},
		{Kind: kindRoot, Verify: verifyRoot},
		{Kind: kindLook, Verify: cas.IsRecord},
	}
}

// verifyTag: it is a digest.
func verifyTag(_ context.Context, p cas.Proof) error {
	data, err := p.Record()
	if err != nil {
		return err
	}
	if _, err := v1.NewHash(string(data)); err != nil {
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	}
	return nil
}

// verifyFiles: it can be read.
func verifyFiles(_ context.Context, p cas.Proof) error {
	data, err := p.Record()
	if err != nil {
		return err
	}
	if _, err := decodeFiles(data); err != nil {
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	}
	return nil
}

// verifyRoot: all that it has is of the file index, with the contents and targets of the image. Which part of the image it is to have only
// a use knows, by which a root that lacks something is made again.
func verifyRoot(ctx context.Context, p cas.Proof) error {
	data, err := p.RecordOf(kindFiles, p.Key)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, cas.ErrDamaged) {
		return fmt.Errorf("%w: the index of its files is missing or damaged", cas.ErrUnknown)
	}
	if err != nil {
		return err
	}
	files, err := decodeFiles(data)
	if err != nil {
		return fmt.Errorf("%w: the index of its files is damaged", cas.ErrUnknown)
	}
	root, err := os.OpenRoot(p.Path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	at := shelf{root: root}
	defer at.close()
	buffer := make([]byte, 256<<10)
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		e, ok := files.Lookup(name)
		if !ok {
			return fmt.Errorf("%w: %q is not of the image", cas.ErrDamaged, name)
		}
		if err := checkEntry(root, &at, e, buffer); err != nil {
			return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
		}
		return nil
	})
}

// checkEntry compares a path of a root with the index.
func checkEntry(root *os.Root, at *shelf, e Entry, buffer []byte) error {
	switch {
	case e.Mode.IsDir(), e.Mode.IsRegular(), e.Mode&fs.ModeSymlink != 0:
	default:
		return nil // never made
	}
	info, err := root.Lstat(e.Path)
	if err != nil {
		return err
	}
	switch {
	case info.Mode().Type() != e.Mode.Type():
		return fmt.Errorf("%q is not what it is in the image", e.Path)
	case e.Mode&fs.ModeSymlink != 0:
		if target, err := root.Readlink(e.Path); err != nil || target != e.Link {
			return fmt.Errorf("%q leads to %q, in the image to %q", e.Path, target, e.Link)
		}
	case e.Mode.IsRegular():
		return checkFile(at, e, buffer)
	}
	return nil
}
