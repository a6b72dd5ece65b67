package base

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// V1 is the image for go-containerregistry: manifest and config as they are, byte by byte, and layers that are read when
// they are opened, from the cache or where the base lies. Those of a registry are remote.MountableLayers, which a push to
// the same registry mounts and does not read. ctx is for what opening a layer costs: the interface has no place for it.
func (i *Image) V1(ctx context.Context) v1.Image {
	img := &v1Image{chosen: i.chosen}
	for n, desc := range i.chosen.manifest.manifest.Layers {
		var l v1.Layer = &v1Layer{
			desc:   desc,
			diffID: i.chosen.config.RootFS.DiffIDs[n],
			open:   func() (io.ReadCloser, error) { return i.source.blob(ctx, desc) },
		}
		if r, ok := i.source.(*registry); ok {
			l = &remote.MountableLayer{Layer: l, Reference: r.repository().Digest(i.Digest.String())}
		}
		img.layers = append(img.layers, l)
	}
	return img
}

// v1Image implements v1.Image.
type v1Image struct {
	chosen chosen
	layers []v1.Layer
}

func (i *v1Image) Layers() ([]v1.Layer, error) { return i.layers, nil }
func (i *v1Image) MediaType() (types.MediaType, error) {
	return mediaTypeOf(i.chosen.manifest.manifest), nil
}
func (i *v1Image) Size() (int64, error)                { return int64(len(i.chosen.manifest.raw)), nil }
func (i *v1Image) ConfigName() (v1.Hash, error)        { return i.chosen.manifest.manifest.Config.Digest, nil }
func (i *v1Image) ConfigFile() (*v1.ConfigFile, error) { return i.chosen.config.DeepCopy(), nil }
func (i *v1Image) RawConfigFile() ([]byte, error)      { return i.chosen.rawConfig, nil }
func (i *v1Image) Digest() (v1.Hash, error)            { return i.chosen.manifest.digest, nil }
func (i *v1Image) Manifest() (*v1.Manifest, error)     { return i.chosen.manifest.manifest.DeepCopy(), nil }
func (i *v1Image) RawManifest() ([]byte, error)        { return i.chosen.manifest.raw, nil }
func (i *v1Image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	for n, desc := range i.chosen.manifest.manifest.Layers {
		if desc.Digest == h {
			return i.layers[n], nil
		}
	}
	return nil, fmt.Errorf("find layer: there is no %s", h)
}

func (i *v1Image) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	for n, diffID := range i.chosen.config.RootFS.DiffIDs {
		if diffID == h {
			return i.layers[n], nil
		}
	}
	return nil, fmt.Errorf("find layer: there is no DiffID %s", h)
}

// mediaTypeOf is a manifest's media type; older ones leave it out, and then it follows from the config's.
func mediaTypeOf(m *v1.Manifest) types.MediaType {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Config.MediaType == types.DockerConfigJSON:
		return types.DockerManifestSchema2
	}
	return types.OCIManifestSchema1
}

// v1Layer implements v1.Layer.
type v1Layer struct {
	desc   v1.Descriptor
	diffID v1.Hash
	open   func() (io.ReadCloser, error)
}

func (l *v1Layer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *v1Layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *v1Layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *v1Layer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *v1Layer) Compressed() (io.ReadCloser, error)  { return l.open() }
func (l *v1Layer) Descriptor() (*v1.Descriptor, error) { return l.desc.DeepCopy(), nil }

func (l *v1Layer) Uncompressed() (io.ReadCloser, error) {
	blob, err := l.open()
	if err != nil {
		return nil, err
	}
	plain, err := inflate(bufio.NewReaderSize(blob, 256<<10))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("inflate layer %s: %w", l.desc.Digest, err), blob.Close())
	}
	return inflatedBlob{plain, blob}, nil
}

// inflatedBlob closes what inflates and what is inflated.
type inflatedBlob struct {
	io.ReadCloser
	blob io.Closer
}

func (b inflatedBlob) Close() error { return errors.Join(b.ReadCloser.Close(), b.blob.Close()) }
