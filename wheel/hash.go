package wheel

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Hash is an expected hash of a whole wheel, as a lock file has it: "sha256:9f86…". The zero Hash is none.
type Hash struct {
	// Algorithm is sha256, sha384, sha512, blake2b (BLAKE2b with an output of 32 bytes) or md5: those that uv knows
	// (crates/uv-pypi-types/src/simple_json.rs:495, crates/uv-extract/src/hash.rs).
	Algorithm string
	// Hex is the digest in lower-case hexadecimal.
	Hex string
}

// algorithms by their names in a lock. md5 is here because old indexes have nothing else, and uv takes it too: it protects
// against accidents, not against whoever can choose both files.
var algorithms = map[string]func() hash.Hash{
	"sha256":  sha256.New,
	"sha384":  sha512.New384,
	"sha512":  sha512.New,
	"blake2b": newBlake2b,
	"md5":     md5.New,
}

func newBlake2b() hash.Hash {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic(err) // a key alone can be wrong
	}
	return h
}

// IsZero tells whether there is no expectation.
func (h Hash) IsZero() bool { return h == Hash{} }

func (h Hash) String() string {
	if h.IsZero() {
		return ""
	}
	return h.Algorithm + ":" + h.Hex
}

// new starts a computation, after a check that the expectation can be met at all.
func (h Hash) new() (hash.Hash, error) {
	start, ok := algorithms[h.Algorithm]
	if !ok {
		return nil, fmt.Errorf("hash algorithm %q is not supported: want sha256, sha384, sha512, blake2b or md5", h.Algorithm)
	}
	computation := start()
	if digest, err := hex.DecodeString(h.Hex); err != nil || len(digest) != computation.Size() || h.Hex != strings.ToLower(h.Hex) {
		return nil, fmt.Errorf("%q is not a %s hash in hexadecimal", h.Hex, h.Algorithm)
	}
	return computation, nil
}
