package layer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
)

// The kinds of the cache. Blobs are kept by digest and checked against it at each read; to make one again is cheap, so that
// neither waits for the disk.
var (
	recordKind = cas.Kind{Name: "layer", Version: FormatVersion}
	blobKind   = cas.Kind{Name: "layer-blob", Version: 1}
)

// sums is what is known of a layer without its bytes; it is the record in the cache.
type sums struct {
	Digest  v1.Hash `json:"digest"`
	DiffID  v1.Hash `json:"diffID"`
	Size    int64   `json:"size"`    // of the blob
	TarSize int64   `json:"tarSize"` // of the tar in it
}

// Build gives the layer of a Spec. A layer that the cache knows by its key costs no reading of content; any other is written
// into the cache in one pass. Errors: content that is not what it claims to be (kind Integrity), parts that contradict each
// other (kind Collision), a full disk (kind Delivery).
func Build(ctx context.Context, cache *cas.Store, spec Spec) (*Layer, error) {
	key := spec.key()
	if key != "" {
		known, ok, err := lookup(cache, key)
		if err != nil {
			return nil, fmt.Errorf("look up layer %q: %w", spec.Name, err)
		}
		if ok {
			return &Layer{spec: spec, cache: cache, sums: known, cached: true}, nil
		}
	}
	made, err := spec.assemble(ctx, cache)
	if err != nil {
		return nil, err
	}
	if key != "" {
		data, err := json.Marshal(made)
		if err != nil {
			return nil, fmt.Errorf("record layer %q: %w", spec.Name, err)
		}
		if err := cache.PutRecord(recordKind, key, data); err != nil {
			return nil, fmt.Errorf("record layer %q: %w", spec.Name, err)
		}
	}
	return &Layer{spec: spec, cache: cache, sums: made}, nil
}

// lookup reads a layer's record; one that does not parse counts as none.
func lookup(cache *cas.Store, key string) (s sums, ok bool, err error) {
	data, err := cache.Record(recordKind, key)
	if errors.Is(err, fs.ErrNotExist) {
		return sums{}, false, nil
	}
	if err != nil {
		return sums{}, false, err
	}
	return s, json.Unmarshal(data, &s) == nil, nil
}

// assemble writes the layer's blob into the cache.
func (s Spec) assemble(ctx context.Context, cache *cas.Store) (_ sums, err error) {
	items, err := s.plan()
	if err != nil {
		return sums{}, err
	}
	blob, err := cache.Create(blobKind)
	if err != nil {
		return sums{}, fmt.Errorf("make layer %q: %w", s.Name, err)
	}
	defer func() { err = errors.Join(err, blob.Close()) }()

	made, err := writeBlob(ctx, blob, items)
	if err == nil {
		err = blob.Commit(made.Digest.Hex)
	}
	if err != nil {
		return sums{}, fmt.Errorf("make layer %q: %w", s.Name, err)
	}
	return made, nil
}

// writeBlob writes the blob of items to w, in one pass that also computes all there is to know of it.
func writeBlob(ctx context.Context, w io.Writer, items []item) (sums, error) {
	blob := counter{hash: sha256.New()}
	raw := counter{hash: sha256.New()}
	buffered := bufio.NewWriterSize(io.MultiWriter(w, &blob), copyBuffer)
	zw, err := newGzipWriter(buffered)
	if err != nil {
		return sums{}, err
	}
	if err := writeTar(ctx, io.MultiWriter(zw, &raw), items); err != nil {
		return sums{}, err
	}
	if err := errors.Join(zw.Close(), buffered.Flush()); err != nil {
		return sums{}, err
	}
	return sums{Digest: blob.digest(), Size: blob.n, DiffID: raw.digest(), TarSize: raw.n}, nil
}

// counter hashes and counts what passes.
type counter struct {
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.hash.Write(p)
}

func (c *counter) digest() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.hash.Sum(nil))}
}
