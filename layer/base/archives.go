package base

import (
	"archive/tar"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/trace"
)

// Archives are the layers of an image, of any image, lowest first. Each can be read any number of times, also concurrently;
// it is held to its digest, its DiffID and the limits of this package each time.
type Archives struct{ layers []layerSource }

// OpenArchives gives the layers of an image without reading them.
func OpenArchives(img v1.Image) (Archives, error) {
	layers, err := imageLayers(img)
	if err != nil {
		return Archives{}, fmt.Errorf("open layers: %w", err)
	}
	return Archives{layers}, nil
}

// Walk visits the entries of layer n, which counts from 0, in the order of the archive. What visit was given counts only when
// Walk returns nil: the bytes are proved at their end.
func (a Archives) Walk(ctx context.Context, n int, visit func(header *tar.Header, content io.Reader) error) error {
	err := a.layers[n].read(ctx, trace.Compare, newBudget(), func(_ int, header *tar.Header, content io.Reader) error {
		return visit(header, content)
	})
	if err != nil {
		return fmt.Errorf("read layer %d: %w", n+1, err)
	}
	return nil
}

// Squash reads all layers and gives the index of the files that a container sees.
func (a Archives) Squash(ctx context.Context) (*Files, error) {
	files, err := squash(ctx, a.layers, defaultJobs)
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	return files, nil
}
