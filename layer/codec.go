package layer

import (
	"context"
	"io"
)

// codec turns the tar of a layer into a blob, segment by segment. A segment can be made, and read, without those before it.
type codec interface {
	// key names the codec and all that decides its bytes.
	key() string
	// head and tail are the blob's bytes before the first and after the last segment, of a tar with that CRC-32 and size.
	head() []byte
	tail(crc uint32, size int64) []byte
	// encode writes what is compressed of the members and tells the pieces of the segment. Content that is not what it claims
	// to be is an error, but for what is spliced, which is not read. What is compressed goes to tar as well.
	encode(ctx context.Context, w, tar io.Writer, items []item) ([]piece, error)
	// fits says whether these can be the pieces of these members.
	fits(items []item, pieces []piece) bool
	// blob gives a segment's bytes of the blob: from what encode wrote, and from the content that is spliced.
	blob(items []item, pieces []piece, encoded io.ReaderAt) (io.Reader, error)
	// decode gives the tar in a piece's bytes of the blob. It reads them to their end.
	decode(blob io.Reader) (io.ReadCloser, error)
}

// piece is a stretch of a segment that is compressed by itself.
type piece struct {
	Raw     int64  `json:"raw"`  // bytes of the tar
	Size    int64  `json:"size"` // bytes of the blob
	CRC32   uint32 `json:"crc"`  // of the tar's
	Spliced bool   `json:"spliced,omitempty"`
}

// plainCodec leaves the tar as it is. Nothing is kept of its segments.
type plainCodec struct{}

func (plainCodec) key() string               { return "none" }
func (plainCodec) head() []byte              { return nil }
func (plainCodec) tail(uint32, int64) []byte { return nil }

func (plainCodec) encode(context.Context, io.Writer, io.Writer, []item) ([]piece, error) {
	return nil, nil
}

func (plainCodec) fits(_ []item, pieces []piece) bool { return len(pieces) == 0 }

func (plainCodec) blob(items []item, _ []piece, _ io.ReaderAt) (io.Reader, error) {
	return &tarReader{items: items}, nil
}

func (plainCodec) decode(blob io.Reader) (io.ReadCloser, error) { return io.NopCloser(blob), nil }
