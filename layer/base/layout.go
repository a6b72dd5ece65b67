package base

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
)

// Annotations that carry the tag of an image in a layout: the OCI's, and containerd's with a whole reference.
const (
	annotationRefName   = "org.opencontainers.image.ref.name"
	annotationImageName = "io.containerd.image.name"
)

// layout is an OCI image layout, in a directory or in an archive.
type layout struct {
	open        func(name string) (io.ReadCloser, error) // a file of the layout; fs.ErrNotExist
	tag, digest string                                   // which image; at most one counts, the digest first
}

// directory opens files of a layout in a directory. Their links are followed: some tools make layouts of links.
func directory(dir string) func(name string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, name)) }
}

func (l layout) top(ctx context.Context) (document, error) {
	if l.digest != "" {
		digest, err := v1.NewHash(l.digest)
		if err != nil {
			return document{}, fault.New(fault.Usage, "", "%w", err)
		}
		return l.document(ctx, digest)
	}
	file, err := l.open("index.json")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no OCI layout: %w", err)
		}
		return document{}, broken("%w", err)
	}
	defer func() { _ = file.Close() }()
	raw, err := readDocument(file, v1.Hash{})
	if err != nil {
		return document{}, broken("index.json: %w", err)
	}
	list, err := parseDocument(raw)
	if err != nil {
		return document{}, fmt.Errorf("index.json: %w", err)
	}
	if list.index == nil {
		return document{}, broken("index.json: it is not an index")
	}
	images, err := l.pick(list.index.Manifests)
	if err != nil {
		return document{}, err
	}
	if len(images) == 1 {
		return l.document(ctx, images[0].Digest)
	}
	return document{index: &v1.IndexManifest{Manifests: images}}, nil
}

// pick is the images of a layout that the tag names, or all when there is no tag and they have no different names.
func (l layout) pick(all []v1.Descriptor) ([]v1.Descriptor, error) {
	var names []string
	var picked []v1.Descriptor
	for _, d := range all {
		name := d.Annotations[annotationRefName]
		long := d.Annotations[annotationImageName]
		if name == "" {
			name = long
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if l.tag == "" || l.tag == name || l.tag == long || strings.HasSuffix(long, ":"+l.tag) {
			picked = append(picked, d)
		}
	}
	slices.Sort(names)
	quoted := fmt.Sprintf("%q", names)
	switch {
	case len(all) == 0:
		return nil, broken("the layout holds no image")
	case len(picked) == 0 && len(names) == 0:
		return nil, broken("there is no tag %q: the layout's images have none, leave it out", l.tag)
	case len(picked) == 0:
		return nil, broken("there is no tag %q: there is %s", l.tag, quoted)
	case l.tag == "" && len(names) > 1:
		return nil, fault.New(fault.Base, "name one after a colon", "it holds several images: %s", quoted)
	}
	return picked, nil
}

// blobName is where a layout keeps a blob.
func blobName(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func (l layout) read(digest v1.Hash) ([]byte, error) {
	if digest.Algorithm != "sha256" {
		return nil, broken("digest %q is not a SHA-256", digest)
	}
	file, err := l.open(blobName(digest))
	if err != nil {
		return nil, broken("the layout has no %s: %w", digest, err)
	}
	defer func() { _ = file.Close() }()
	raw, err := readDocument(file, digest)
	if errors.Is(err, errDamaged) {
		err = fault.Wrap(fault.Integrity, "", err)
	}
	return raw, err
}

func (l layout) document(_ context.Context, digest v1.Hash) (document, error) {
	raw, err := l.read(digest)
	if err != nil {
		return document{}, err
	}
	return parseDocument(raw)
}

func (l layout) config(_ context.Context, desc v1.Descriptor) ([]byte, error) {
	return l.read(desc.Digest)
}

func (l layout) blob(_ context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	file, err := l.open(blobName(desc.Digest))
	if err != nil {
		return nil, broken("the layout has no %s: %w", desc.Digest, err)
	}
	return verify(file, desc), nil
}
