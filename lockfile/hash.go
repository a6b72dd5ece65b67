package lockfile

import (
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

// digestSize is the length in bytes of the digests that uv knows (crates/uv-pypi-types HashAlgorithm), 0 for others.
func digestSize(algorithm string) int {
	switch algorithm {
	case "md5":
		return 16
	case "sha256", "blake2b":
		return 32
	case "sha384":
		return 48
	case "sha512":
		return 64
	}
	return 0
}

// ParseHash reads "algorithm:hex". The algorithm is in lower case, as uv wants it. Digits may be in upper case: uv reads them,
// but compares texts, so that no file has such a hash (crates/uv-distribution-types/src/hash.rs); here they mean the number.
func ParseHash(s string) (Hash, error) {
	algorithm, digest, _ := strings.Cut(s, ":")
	size := digestSize(algorithm)
	if size == 0 {
		return Hash{}, fmt.Errorf("parse hash %q: want ALGORITHM:HEX with md5, sha256, sha384, sha512 or blake2b", s)
	}
	// Trimming digits leaves something if there is anything else.
	if len(digest) != 2*size || strings.Trim(digest, "0123456789abcdefABCDEF") != "" {
		return Hash{}, fmt.Errorf("parse hash %q: want %d hexadecimal digits", s, 2*size)
	}
	return Hash{Algorithm: algorithm, Hex: strings.ToLower(digest)}, nil
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
