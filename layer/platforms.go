package layer

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Index is an image index: images of one project for several platforms, in the order given.
type Index struct {
	images []v1.Image
	raw    []byte
	desc   v1.Descriptor
}

// NewIndex makes the index of images. Its entries say of each image its platform and nothing more, so that the index is a
// function of the images' digests and their order.
func NewIndex(images []v1.Image) (*Index, error) {
	m := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, img := range images {
		p, err := takeApart(img)
		if err != nil {
			return nil, err
		}
		m.Manifests = append(m.Manifests, p.manifest)
	}
	x := &Index{images: images}
	var err error
	if x.raw, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("write image index: %w", err)
	}
	x.desc.MediaType = types.OCIImageIndex
	if x.desc.Digest, x.desc.Size, err = v1.SHA256(bytes.NewReader(x.raw)); err != nil {
		return nil, fmt.Errorf("hash image index: %w", err)
	}
	return x, nil
}

// MediaType implements v1.ImageIndex.
func (x *Index) MediaType() (types.MediaType, error) { return x.desc.MediaType, nil }

// Digest implements v1.ImageIndex.
func (x *Index) Digest() (v1.Hash, error) { return x.desc.Digest, nil }

// Size implements v1.ImageIndex.
func (x *Index) Size() (int64, error) { return x.desc.Size, nil }

// RawManifest implements v1.ImageIndex.
func (x *Index) RawManifest() ([]byte, error) { return x.raw, nil }

// IndexManifest implements v1.ImageIndex.
func (x *Index) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(x.raw))
}

// Image implements v1.ImageIndex.
func (x *Index) Image(h v1.Hash) (v1.Image, error) {
	for _, img := range x.images {
		if d, err := img.Digest(); err != nil || d == h {
			return img, err
		}
	}
	return nil, fmt.Errorf("the index has no image %s", h)
}

// ImageIndex implements v1.ImageIndex: there is none in another.
func (x *Index) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("the index has no index %s", h)
}
