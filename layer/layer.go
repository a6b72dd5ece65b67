package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/fault"
)

// Layer is a layer whose digests are known, and whose bytes are put together from its segments when they are read. It is a
// v1.Layer that opens any number of times, also concurrently, as long as the content of its parts can be opened.
type Layer struct {
	spec    Spec
	builder *Builder
	sums    sums
	cached  bool
	again   func(context.Context) (*Layer, error) // of one that is recalled
}

// Facts are what is known of a layer without its parts.
type Facts struct {
	Name        string  `json:"name"`
	CreatedBy   string  `json:"createdBy"`
	Compression string  `json:"compression"`
	Digest      v1.Hash `json:"digest"`
	DiffID      v1.Hash `json:"diffID"`
	Size        int64   `json:"size"`    // of the blob
	TarSize     int64   `json:"tarSize"` // of the tar in it
}

// Facts tells what is known of the layer.
func (l *Layer) Facts() Facts {
	return Facts{
		l.spec.Name, l.spec.CreatedBy, l.spec.Compression.String(), l.sums.Digest, l.sums.DiffID, l.sums.Size, l.sums.TarSize,
	}
}

// Recall gives a layer of which only the facts are known. When its bytes are needed, again makes it; that must be the same layer.
func Recall(f Facts, again func(context.Context) (*Layer, error)) (*Layer, error) {
	c, err := ParseCompression(f.Compression)
	if err != nil {
		return nil, err
	}
	return &Layer{
		spec: Spec{Name: f.Name, CreatedBy: f.CreatedBy, Compression: c}, sums: sums{f.Digest, f.DiffID, f.Size, f.TarSize}, cached: true, again: again,
	}, nil
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
func (l *Layer) MediaType() (types.MediaType, error) { return l.spec.Compression.mediaType(), nil }

// Compressed implements v1.Layer. It is Open where there is no context to give.
func (l *Layer) Compressed() (io.ReadCloser, error) { return l.Open(context.Background()) }

// Open gives the blob's bytes, checked while they are read (see Verify). Segments that the cache lacks are made first, which ctx
// can stop. When the bytes prove damaged, those that the cache has are discarded and made again, so that opening again gives good ones.
func (l *Layer) Open(ctx context.Context) (io.ReadCloser, error) {
	if l.again != nil {
		made, err := l.again(ctx)
		if err != nil {
			return nil, fmt.Errorf("make layer %q again: %w", l.spec.Name, err)
		}
		if made.sums != l.sums {
			return nil, l.another(made.sums)
		}
		return made.Open(ctx)
	}
	segments, err := l.builder.segments(ctx, l.spec)
	if err != nil {
		return nil, err
	}
	rc, err := Verify(l.assemble(segments), l.sums.Digest, l.sums.Size)
	if err != nil {
		return nil, err
	}
	return &healer{ReadCloser: rc, heal: func() error { return l.heal(ctx, segments) }}, nil
}

// assemble puts the blob together.
func (l *Layer) assemble(segments []*segment) io.ReadCloser {
	c := l.spec.Compression.codec()
	head, tail := io.NopCloser(bytes.NewReader(c.head())), c.tail(crcAndSize(segments))
	opens := []func() (io.ReadCloser, error){func() (io.ReadCloser, error) { return head, nil }}
	for _, s := range segments {
		opens = append(opens, s.blob)
	}
	opens = append(opens, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tail)), nil })
	return &row{opens: opens}
}

// heal makes the layer again from nothing. It is an error if something else comes out than before.
func (l *Layer) heal(ctx context.Context, segments []*segment) error {
	for _, s := range segments {
		if err := s.discard(ctx, l.builder.cache); err != nil {
			return err
		}
	}
	again, err := l.builder.make(ctx, l.spec, false)
	if err != nil {
		return err
	}
	if again != l.sums {
		return l.another(again)
	}
	return nil
}

// another is the error of a layer that became another one.
func (l *Layer) another(again sums) error {
	return fault.New(fault.NotReproducible, "", "layer %q was made again and is another: %s, was %s", l.spec.Name, again.Digest, l.sums.Digest)
}

// Uncompressed implements v1.Layer.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	rc, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	tar, err := l.spec.Compression.open(rc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("inflate layer %q: %w", l.spec.Name, err), rc.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{tar, closers{tar, rc}}, nil
}

// healer mends the cache when reading shows that it is damaged. What cannot be mended is the error instead.
type healer struct {
	io.ReadCloser
	heal func() error
}

func (h *healer) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if h.heal != nil && errors.Is(err, ErrDamaged) {
		if failed := h.heal(); failed != nil {
			err = failed
		}
		h.heal = nil
	}
	return n, err
}

// row reads one reader after the other, each opened when it is its turn.
type row struct {
	opens []func() (io.ReadCloser, error)
	open  io.ReadCloser
}

func (r *row) Read(p []byte) (int, error) {
	for {
		if r.open == nil {
			if len(r.opens) == 0 {
				return 0, io.EOF
			}
			var err error
			if r.open, err = r.opens[0](); err != nil {
				r.open = nil
				return 0, err
			}
			r.opens = r.opens[1:]
		}
		n, err := r.open.Read(p)
		if err == io.EOF {
			err = r.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *row) Close() error {
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open = nil
	return err
}
