package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// hashing computes what is known of a layer, segment by segment: it reads the blob as a runtime would.
type hashing struct {
	codec codec
	blob  counter
	raw   counter
	crc   uint32 // of the tar
}

func newHashing(c codec) *hashing {
	h := &hashing{codec: c, blob: counter{hash: sha256.New()}, raw: counter{hash: sha256.New()}}
	_, _ = h.blob.Write(c.head())
	return h
}

// add goes on with a segment. That its bytes are not what they were when it was made is an errSegment.
func (h *hashing) add(r *reading) error {
	for c := range r.chunks {
		if c.ofBlob {
			_, _ = h.blob.Write(c.data)
		} else {
			_, _ = h.raw.Write(c.data)
		}
		c.free()
	}
	for _, p := range r.segment.pieces {
		h.crc = crcCombine(h.crc, p.CRC32, p.Raw)
	}
	return r.err
}

// sums ends the blob.
func (h *hashing) sums() sums {
	if _, plain := h.codec.(plainCodec); plain {
		return sums{Digest: h.raw.digest(), DiffID: h.raw.digest(), Size: h.raw.n, TarSize: h.raw.n}
	}
	_, _ = h.blob.Write(h.codec.tail(h.crc, h.raw.n))
	return sums{Digest: h.blob.digest(), DiffID: h.raw.digest(), Size: h.blob.n, TarSize: h.raw.n}
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
