package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"vpk/internal/cas"
	"vpk/internal/fault"
)

// Layer is a layer whose digests are known, and whose bytes come from the cache or are made again when they are not there. It
// is a v1.Layer that opens any number of times, also concurrently.
type Layer struct {
	spec   Spec
	cache  *cas.Store
	sums   sums
	cached bool
}

var _ v1.Layer = (*Layer)(nil)

// Name is the layer's name for people.
func (l *Layer) Name() string { return l.spec.Name }

// CreatedBy is the layer's line of the image's history.
func (l *Layer) CreatedBy() string { return l.spec.CreatedBy }

// Cached says whether Build found the layer in the cache.
func (l *Layer) Cached() bool { return l.cached }

// Digest implements v1.Layer: of the compressed blob.
func (l *Layer) Digest() (v1.Hash, error) { return l.sums.Digest, nil }

// DiffID implements v1.Layer: the digest of the tar.
func (l *Layer) DiffID() (v1.Hash, error) { return l.sums.DiffID, nil }

// Size implements v1.Layer: bytes of the compressed blob.
func (l *Layer) Size() (int64, error) { return l.sums.Size, nil }

// UncompressedSize is the number of bytes of the tar.
func (l *Layer) UncompressedSize() (int64, error) { return l.sums.TarSize, nil }

// MediaType implements v1.Layer.
func (l *Layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed implements v1.Layer. It is Open where there is no context to give.
func (l *Layer) Compressed() (io.ReadCloser, error) { return l.Open(context.Background()) }

// Open gives the blob's bytes, checked while they are read (see Verify). A blob that the cache lacks is made first, which ctx
// can stop. A damaged one is discarded when that shows, so that opening again gives a good one.
func (l *Layer) Open(ctx context.Context) (io.ReadCloser, error) {
	f, err := l.cache.OpenFile(blobKind, l.sums.Digest.Hex)
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.remake(ctx); err != nil {
			return nil, err
		}
		f, err = l.cache.OpenFile(blobKind, l.sums.Digest.Hex)
	}
	if err != nil {
		return nil, fmt.Errorf("open layer %q: %w", l.spec.Name, err)
	}
	rc, err := Verify(f, l.sums.Digest, l.sums.Size)
	if err != nil {
		return nil, err
	}
	return &discarder{ReadCloser: rc, layer: l}, nil
}

// Uncompressed implements v1.Layer.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	rc, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(rc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("inflate layer %q: %w", l.spec.Name, err), rc.Close())
	}
	return &inflated{Reader: zr, blob: rc}, nil
}

// remake makes a blob that the cache has lost.
func (l *Layer) remake(ctx context.Context) error {
	again, err := l.spec.assemble(ctx, l.cache)
	if err != nil {
		return err
	}
	if again != l.sums {
		return fault.New(fault.NotReproducible, "", "layer %q was made again and is another: %s, was %s", l.spec.Name, again.Digest, l.sums.Digest)
	}
	return nil
}

// discarder drops a blob from the cache when reading shows that it is damaged.
type discarder struct {
	io.ReadCloser
	layer *Layer
}

func (d *discarder) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("layer %q in the cache: %w", d.layer.spec.Name, err)
		err = errors.Join(err, d.layer.cache.Remove(blobKind, d.layer.sums.Digest.Hex))
	}
	return n, err
}

// inflated is the tar of a blob that is being read.
type inflated struct {
	*gzip.Reader
	blob io.Closer
}

func (i *inflated) Close() error { return errors.Join(i.Reader.Close(), i.blob.Close()) }
