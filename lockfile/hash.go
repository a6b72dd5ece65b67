package lockfile

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Hash is the digest of a file. The zero Hash is none.
type Hash struct {
	// Algorithm is md5, sha256, sha384, sha512 or blake2b (with an output of 32 bytes).
	Algorithm string
	// Hex is in lower case.
	Hex string
}

// digestBytes are the lengths of the digests that uv knows (crates/uv-pypi-types HashAlgorithm).
var digestBytes = map[string]int{"md5": 16, "sha256": 32, "sha384": 48, "sha512": 64, "blake2b": 32}

// ParseHash reads "algorithm:hex".
func ParseHash(s string) (Hash, error) {
	algorithm, digest, ok := strings.Cut(s, ":")
	size, known := digestBytes[algorithm]
	if !ok || !known {
		return Hash{}, fmt.Errorf("parse hash %q: want ALGORITHM:HEX with md5, sha256, sha384, sha512 or blake2b", s)
	}
	digest = strings.ToLower(digest)
	if b, err := hex.DecodeString(digest); err != nil || len(b) != size {
		return Hash{}, fmt.Errorf("parse hash %q: want %d hexadecimal digits", s, 2*size)
	}
	return Hash{Algorithm: algorithm, Hex: digest}, nil
}

// IsZero tells a missing hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is "algorithm:hex", empty for a missing hash.
func (h Hash) String() string {
	if h.IsZero() {
		return ""
	}
	return h.Algorithm + ":" + h.Hex
}
