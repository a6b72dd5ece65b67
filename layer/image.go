package layer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/fault"
)

// MaxLayers is how many layers an image may have, the base's included: overlay mounts end near 127.
const MaxLayers = 120

// Image puts layers on top of a base, in order. The base's layers keep their bytes; nothing of them is read. Manifest, config
// and layers are of OCI types, Docker's are mapped; a base's layer that may not be distributed stays so marked and keeps its
// URLs. JSON is written with sorted keys and without insignificant space, so that equal input gives equal bytes. Errors: a
// base that is not an image of such types, or one that contradicts itself (kind Base); more than MaxLayers layers (Base).
func Image(base v1.Image, info BaseInfo, layers []*Layer, c Config) (v1.Image, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configure image: %w", err)
	}
	lower, err := baseLayers(base)
	if err != nil {
		return nil, fault.Wrap(fault.Base, "", fmt.Errorf("read base image: %w", err))
	}
	baseConfig, err := base.ConfigFile()
	if err != nil {
		return nil, fault.Wrap(fault.Base, "", fmt.Errorf("read config of base image: %w", err))
	}
	if n := len(baseConfig.RootFS.DiffIDs); n != len(lower) {
		return nil, fault.New(fault.Base, "", "base image has %d layers, and its config lists %d", len(lower), n)
	}
	if n := len(lower) + len(layers); n > MaxLayers {
		return nil, fault.New(fault.Base, "choose a base image with fewer layers",
			"the image would have %d layers, %d of them the base's; at most %d work everywhere", n, len(lower), MaxLayers)
	}

	img := &image{}
	config := c.file(baseConfig, info, layers)
	if img.config, err = json.Marshal(config); err != nil {
		return nil, fmt.Errorf("write image config: %w", err)
	}
	m := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(types.OCIConfigJSON, img.config),
		Layers:        []v1.Descriptor{},
		Annotations:   c.annotations(info),
	}
	for i, l := range lower {
		l.diffID = config.RootFS.DiffIDs[i]
		m.Layers = append(m.Layers, l.desc)
		img.layers = append(img.layers, l.mountable())
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: l.spec.Compression.mediaType(), Digest: l.sums.Digest, Size: l.sums.Size})
		img.layers = append(img.layers, l)
	}
	img.diffIDs = config.RootFS.DiffIDs
	if img.manifest, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("write image manifest: %w", err)
	}
	img.desc = describe(types.OCIManifestSchema1, img.manifest)
	return img, nil
}

// describe is the descriptor of bytes.
func describe(mt types.MediaType, data []byte) v1.Descriptor {
	// Reading from memory can't fail.
	digest, size, _ := v1.SHA256(bytes.NewReader(data))
	return v1.Descriptor{MediaType: mt, Digest: digest, Size: size}
}

// image is an image whose manifest and config are final.
type image struct {
	manifest, config []byte
	desc             v1.Descriptor // of the manifest
	layers           []v1.Layer
	diffIDs          []v1.Hash
}

var _ v1.Image = (*image)(nil)

func (i *image) Layers() ([]v1.Layer, error)         { return slices.Clone(i.layers), nil }
func (i *image) MediaType() (types.MediaType, error) { return i.desc.MediaType, nil }
func (i *image) Size() (int64, error)                { return i.desc.Size, nil }
func (i *image) Digest() (v1.Hash, error)            { return i.desc.Digest, nil }
func (i *image) RawManifest() ([]byte, error)        { return bytes.Clone(i.manifest), nil }
func (i *image) RawConfigFile() ([]byte, error)      { return bytes.Clone(i.config), nil }
func (i *image) Manifest() (*v1.Manifest, error)     { return partial.Manifest(i) }
func (i *image) ConfigFile() (*v1.ConfigFile, error) { return partial.ConfigFile(i) }
func (i *image) ConfigName() (v1.Hash, error)        { return partial.ConfigName(i) }

func (i *image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	for _, l := range i.layers {
		if d, err := l.Digest(); err == nil && d == h {
			return l, nil
		}
	}
	if name, err := i.ConfigName(); err == nil && name == h {
		return partial.ConfigLayer(i)
	}
	return nil, fmt.Errorf("image has no layer %s", h)
}

func (i *image) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	if at := slices.Index(i.diffIDs, h); at >= 0 {
		return i.layers[at], nil
	}
	return nil, fmt.Errorf("image has no layer with DiffID %s", h)
}

// baseLayer is a layer of the base under its OCI media type. What it is comes from the base's manifest and config, so that
// asking costs no reading.
type baseLayer struct {
	v1.Layer
	desc   v1.Descriptor
	diffID v1.Hash
	// from is the repository that a registry can mount the layer from; nil when there is none.
	from *remote.MountableLayer
}

func (l *baseLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *baseLayer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *baseLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *baseLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *baseLayer) Descriptor() (*v1.Descriptor, error) { return l.desc.DeepCopy(), nil }

func (l *baseLayer) mountable() v1.Layer {
	if l.from == nil {
		return l
	}
	return &remote.MountableLayer{Layer: l, Reference: l.from.Reference}
}

// baseLayers are the base's layers as its manifest lists them.
func baseLayers(base v1.Image) ([]*baseLayer, error) {
	m, err := base.Manifest()
	if err != nil {
		return nil, err
	}
	if mt := m.Config.MediaType; !mt.IsConfig() {
		return nil, fmt.Errorf("it is no container image: its config is of type %q", mt)
	}
	layers, err := base.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) != len(m.Layers) {
		return nil, fmt.Errorf("it has %d layers, and its manifest lists %d", len(layers), len(m.Layers))
	}
	lower := make([]*baseLayer, len(layers))
	for i, l := range layers {
		mt, ok := ociLayerType(m.Layers[i].MediaType)
		if !ok {
			return nil, fmt.Errorf("layer %s is of unknown type %q", m.Layers[i].Digest, m.Layers[i].MediaType)
		}
		desc := m.Layers[i].DeepCopy()
		desc.MediaType, desc.Data = mt, nil
		lower[i] = &baseLayer{Layer: l, desc: *desc}
		if from, ok := l.(*remote.MountableLayer); ok {
			lower[i].Layer, lower[i].from = from.Layer, from
		}
	}
	return lower, nil
}

// dockerZstdLayer is a type that BuildKit has written; go-containerregistry has no name for it.
const dockerZstdLayer types.MediaType = "application/vnd.docker.image.rootfs.diff.tar.zstd"

// ociLayerType maps Docker's layer types to OCI's, and keeps those.
func ociLayerType(mt types.MediaType) (types.MediaType, bool) {
	switch mt {
	case types.DockerLayer:
		return types.OCILayer, true
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer, true
	case types.DockerForeignLayer:
		return types.OCIRestrictedLayer, true
	case dockerZstdLayer:
		return types.OCILayerZStd, true
	}
	return mt, mt.IsLayer()
}
