package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
)

// Layout is an OCI image layout in a directory (image specification, image-layout.md), which is made, or updated: the image
// replaces the one with the same tag, others stay. The directory is locked meanwhile, so that any number of processes may
// deliver to it.
type Layout struct {
	Dir string
	// Tag is the image's name in the layout. The default is the tag of the artifact's first name, else "latest".
	Tag string
}

const (
	stagingPrefix = ".vpk-"
	copiesAtOnce  = 8
	maxIndexSize  = 32 << 20
)

// Deliver implements Destination.
func (l Layout) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	res, err := l.deliver(ctx, a, report)
	if err != nil {
		return Delivered{}, failed(ctx, "write OCI layout", l.Dir, err)
	}
	return res, nil
}

func (l Layout) deliver(ctx context.Context, a Artifact, report progress.Reporter) (_ Delivered, err error) {
	p, err := a.pieces()
	if err != nil {
		return Delivered{}, err
	}
	made, err := makeDirs(l.Dir)
	defer func() {
		if err != nil {
			for _, dir := range slices.Backward(made) {
				_ = os.Remove(dir) // only if it is still empty
			}
		}
	}()
	if err != nil {
		return Delivered{}, err
	}
	unlock, err := lockDir(ctx, l.Dir)
	if err != nil {
		return Delivered{}, err
	}
	defer unlock()
	if err := l.check(); err != nil {
		return Delivered{}, err
	}
	staging, err := os.MkdirTemp(l.Dir, stagingPrefix)
	if err != nil {
		return Delivered{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()

	tag := l.tag(a.Names)
	res := Delivered{Target: fmt.Sprintf("oci:%s:%s", l.Dir, tag), Digest: p.manifest.Digest}
	task := report.Task("write "+res.Target, p.size)
	defer task.Done()

	there := make([]bool, len(p.blobs))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesAtOnce)
	for i, b := range p.blobs {
		group.Go(func() (err error) {
			if there[i], err = l.has(gctx, b.desc); err != nil || there[i] {
				return err
			}
			return stage(gctx, staging, b.desc.Digest.Hex, func(w io.Writer) error { return b.copyTo(gctx, w, task) })
		})
	}
	if err := group.Wait(); err != nil {
		return Delivered{}, err
	}
	var missing []v1.Descriptor
	for i, b := range p.blobs {
		if there[i] {
			res.Skipped.add(b.desc.Size)
			task.Add(b.desc.Size)
			continue
		}
		res.Sent.add(b.desc.Size)
		missing = append(missing, b.desc)
	}
	if ctx.Err() != nil {
		return Delivered{}, context.Cause(ctx)
	}
	p.manifest.Annotations = map[string]string{refName: tag}
	return res, l.commit(ctx, staging, missing, p.manifest)
}

func (l Layout) tag(names []name.Tag) string {
	switch {
	case l.Tag != "":
		return l.Tag
	case len(names) > 0:
		return names[0].TagStr()
	}
	return name.DefaultTag
}

// check makes sure that the directory is a layout, or empty but for what a killed process left, which it removes.
func (l Layout) check() error {
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return err
	}
	foreign := false
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagingPrefix) {
			if err := os.RemoveAll(filepath.Join(l.Dir, e.Name())); err != nil {
				return err
			}
			continue
		}
		foreign = true
	}
	data, err := os.ReadFile(filepath.Join(l.Dir, layoutFile))
	switch {
	case err == nil:
		return checkLayoutFile(data)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case foreign:
		return fault.New(fault.Delivery, "choose a new directory, an empty one, or an OCI layout", "the directory holds something else than an OCI layout")
	}
	return nil
}

func (l Layout) blobPath(h v1.Hash) string { return filepath.Join(l.Dir, "blobs", h.Algorithm, h.Hex) }

// has says whether the layout has a blob, whole. What is there under its name and is something else counts as not there.
func (l Layout) has(ctx context.Context, d v1.Descriptor) (bool, error) {
	span := trace.Start(ctx, trace.CheckBlob, d.Digest.String())
	defer span.End()
	f, err := os.Open(l.blobPath(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != d.Size {
		return false, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, err
	}
	return d.Digest.Algorithm == "sha256" && hex.EncodeToString(h.Sum(nil)) == d.Digest.Hex, nil
}

// stage writes a file into the staging directory.
func stage(ctx context.Context, staging, name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(staging, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return fillFile(ctx, f, fill)
}

// commit makes staged blobs and then the manifest part of the layout: what marks it as one first, so that a kill in
// between leaves a layout; the index last. All that needs space is done before the first rename; when a rename fails, those before it are
// taken back.
func (l Layout) commit(ctx context.Context, staging string, blobs []v1.Descriptor, manifest v1.Descriptor) (err error) {
	old, err := readSmall(filepath.Join(l.Dir, indexFile))
	if err != nil {
		return err
	}
	index, err := updateIndex(old, manifest)
	if err != nil {
		return err
	}
	type move struct{ from, to string }
	var moves []move
	small := map[string][]byte{layoutFile: []byte(layoutVersion), indexFile: index}
	for _, name := range []string{layoutFile, indexFile} {
		to := filepath.Join(l.Dir, name)
		if _, err := os.Lstat(to); err == nil && name == layoutFile {
			continue
		}
		if err := stage(ctx, staging, name, func(w io.Writer) error { _, err := w.Write(small[name]); return err }); err != nil {
			return err
		}
		if name == indexFile {
			for _, d := range blobs {
				moves = append(moves, move{d.Digest.Hex, l.blobPath(d.Digest)})
			}
		}
		moves = append(moves, move{name, to})
	}

	var undo []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(undo) {
				_ = os.Remove(path) // directories only if they are empty
			}
		}
	}()
	for _, m := range moves {
		made, err := makeDirs(filepath.Dir(m.to))
		undo = append(undo, made...)
		if err != nil {
			return err
		}
		_, missing := os.Lstat(m.to)
		if err := os.Rename(filepath.Join(staging, m.from), m.to); err != nil {
			return err
		}
		if missing != nil {
			undo = append(undo, m.to)
		}
	}
	if len(blobs) > 0 {
		err = syncDir(filepath.Dir(l.blobPath(blobs[0].Digest)))
	}
	return errors.Join(err, syncDir(l.Dir))
}

// readSmall reads a file that is not expected to be large; one that does not exist is empty.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndexSize+1))
	if err == nil && len(data) > maxIndexSize {
		err = fmt.Errorf("%q is larger than %d bytes", path, maxIndexSize)
	}
	return data, err
}
