package base

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/fault"
)

// dockerArchive is an image in a `docker save` archive. It has a config and layers; the manifest is written here.
type dockerArchive struct {
	file      *imageFile
	manifest  document
	rawConfig []byte
	layers    map[v1.Hash]string // the members
}

// savedImage is an element of the archive's manifest.json.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// openDockerArchive reads all of an archive's image but the layers. Only compressed ones must be read, for their digest.
func openDockerArchive(ctx context.Context, file *imageFile, tag string) (*dockerArchive, error) {
	list, err := readMember(file, "manifest.json")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no Docker archive: %w", err)
		}
		return nil, err
	}
	var images []savedImage
	if err := json.Unmarshal(list, &images); err != nil {
		return nil, broken("manifest.json: %w", err)
	}
	image, err := pickSaved(images, tag)
	if err != nil {
		return nil, err
	}
	d := &dockerArchive{file: file, layers: map[v1.Hash]string{}}
	if d.rawConfig, err = readMember(file, image.Config); err != nil {
		return nil, err
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: v1.Descriptor{
		MediaType: types.OCIConfigJSON, Size: int64(len(d.rawConfig)), Digest: digestOf(d.rawConfig),
	}}
	m.Layers = make([]v1.Descriptor, len(image.Layers))
	config, err := readConfig(d.rawConfig, &m)
	if err != nil {
		return nil, err
	}
	for i, member := range image.Layers {
		if m.Layers[i], err = d.describe(ctx, member, config.RootFS.DiffIDs[i]); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		d.layers[m.Layers[i].Digest] = member
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	d.manifest, err = parseDocument(raw)
	return d, err
}

// pickSaved is the image that a tag names: a whole reference or only the tag of one; without a tag the only image.
func pickSaved(images []savedImage, tag string) (savedImage, error) {
	var picked []savedImage
	var names []string
	for _, image := range images {
		if tag == "" || slices.ContainsFunc(image.RepoTags, func(s string) bool { return sameTag(s, tag) }) {
			picked = append(picked, image)
		}
		names = append(names, image.RepoTags...)
	}
	slices.Sort(names)
	switch {
	case len(picked) == 1:
		return picked[0], nil
	case len(images) == 0:
		return savedImage{}, broken("the archive holds no image")
	case len(picked) == 0:
		return savedImage{}, broken("there is no tag %q: there is %q", tag, names)
	}
	return savedImage{}, fault.New(fault.Base, "name one after a colon", "it holds several images: %q", names)
}

// sameTag says whether a saved reference is the one asked for, however much of it was given.
func sameTag(saved, tag string) bool {
	if saved == tag || strings.HasSuffix(saved, ":"+tag) {
		return true
	}
	a, errA := name.NewTag(saved)
	b, errB := name.NewTag(tag)
	return errA == nil && errB == nil && a.Name() == b.Name()
}

// readMember reads a small member.
func readMember(file *imageFile, name string) ([]byte, error) {
	f, err := file.open(name)
	if err != nil {
		return nil, broken("%w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := readDocument(f, v1.Hash{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return raw, nil
}

// describe is the descriptor of a layer as it lies in the archive. An uncompressed one's digest is its DiffID.
func (d *dockerArchive) describe(ctx context.Context, member string, diffID v1.Hash) (v1.Descriptor, error) {
	m, err := d.file.find(member)
	if err != nil {
		return v1.Descriptor{}, broken("%w", err)
	}
	f, err := d.file.open(member)
	if err != nil {
		return v1.Descriptor{}, broken("%w", err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(untilDone(ctx, f), 64<<10)
	desc := v1.Descriptor{MediaType: types.OCIUncompressedLayer, Size: m.size, Digest: diffID}
	switch c, err := compressionOf(r); {
	case err != nil:
		return v1.Descriptor{}, broken("%w", err)
	case c == uncompressed:
		return desc, nil
	case c == gzipped:
		desc.MediaType = types.OCILayer
	case c == zstandard:
		desc.MediaType = types.OCILayerZStd
	}
	if desc.Digest, _, err = v1.SHA256(r); err != nil {
		return v1.Descriptor{}, broken("%w", err)
	}
	return desc, nil
}

func (d *dockerArchive) top(context.Context) (document, error) { return d.manifest, nil }

func (d *dockerArchive) document(_ context.Context, digest v1.Hash) (document, error) {
	return document{}, broken("a Docker archive has no %s", digest)
}

func (d *dockerArchive) config(context.Context, v1.Descriptor) ([]byte, error) {
	return d.rawConfig, nil
}

func (d *dockerArchive) blob(_ context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	f, err := d.file.open(d.layers[desc.Digest])
	if err != nil {
		return nil, broken("%w", err)
	}
	return verify(f, desc), nil
}
