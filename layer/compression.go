package layer

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"vpk/internal/fault"
)

// Compression is how the tar of a layer becomes its blob. The zero value is gzip.
type Compression struct {
	method string // "" for gzip, "zstd", "none"
	level  int    // of zstd, as its own program counts
}

// The levels of zstd. Of its own program's there are 22; klauspost/compress has four speeds, to which they are mapped.
const (
	zstdDefault = 3
	zstdMax     = 22
)

// ParseCompression reads "gzip", "zstd", "zstd:LEVEL" or "none"; empty is gzip. Errors are of kind Usage.
func ParseCompression(s string) (Compression, error) {
	method, level, leveled := strings.Cut(s, ":")
	switch {
	case s == "" || s == "gzip":
		return Compression{}, nil
	case s == "none":
		return Compression{method: s}, nil
	case s == "zstd":
		return Compression{method: s, level: zstdDefault}, nil
	case method == "zstd" && leveled:
		if n, err := strconv.Atoi(level); err == nil && 1 <= n && n <= zstdMax {
			return Compression{method: method, level: n}, nil
		}
		return Compression{}, fault.New(fault.Usage, "", "compression %q: the level is not a number from 1 to %d", s, zstdMax)
	}
	return Compression{}, fault.New(fault.Usage, "", "compression %q is not gzip, zstd, zstd:LEVEL or none", s)
}

// String is the compression as ParseCompression reads it.
func (c Compression) String() string {
	switch c.method {
	case "":
		return "gzip"
	case "zstd":
		return fmt.Sprintf("zstd:%d", c.level)
	}
	return c.method
}

// mediaType is the type of a layer's blob.
func (c Compression) mediaType() types.MediaType {
	switch c.method {
	case "zstd":
		return types.OCILayerZStd
	case "none":
		return types.OCIUncompressedLayer
	}
	return types.OCILayer
}

// codec is what makes such blobs.
func (c Compression) codec() codec {
	switch c.method {
	case "zstd":
		return zstdCodec{zstd.EncoderLevelFromZstd(c.level)}
	case "none":
		return plainCodec{}
	}
	return gzipCodec{spliceFrom: spliceFrom}
}

// open gives the tar in a blob.
func (c Compression) open(blob io.Reader) (io.ReadCloser, error) {
	switch c.method {
	case "zstd":
		return zstdCodec{}.decode(blob)
	case "none":
		return io.NopCloser(blob), nil
	}
	return gzip.NewReader(blob)
}
