package base

import (
	"context"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/fault"
)

// source is where the bytes of images lie: a registry, a layout, an archive.
type source interface {
	// top is what the reference names: a manifest, an index, or several images of a layout as an index without a digest.
	top(ctx context.Context) (document, error)
	// document is a manifest or index by digest, config the config of a manifest.
	document(ctx context.Context, digest v1.Hash) (document, error)
	config(ctx context.Context, desc v1.Descriptor) ([]byte, error)
	// blob opens a layer. Its reader ends in an error, not in io.EOF, unless its bytes are what desc promises.
	blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error)
}

// chosen is the image for a platform.
type chosen struct {
	manifest  document
	rawConfig []byte
	config    *v1.ConfigFile
	index     v1.Hash // the outermost index that led here, zero when none did
}

// choose finds the image for a platform in what a reference names.
func choose(ctx context.Context, src source, platform v1.Platform) (chosen, error) {
	top, err := src.top(ctx)
	if err != nil {
		return chosen{}, err
	}
	if top.manifest != nil {
		c, err := readImage(ctx, src, top)
		if err != nil {
			return chosen{}, err
		}
		if have := configPlatform(c.config); !matches(have, platform) {
			return chosen{}, noPlatform(platform, []string{have.String()})
		}
		return c, nil
	}
	s := search{src: src, want: platform}
	if err := s.index(ctx, top, v1.Hash{}, 0); err != nil {
		return chosen{}, err
	}
	switch {
	case len(s.found) == 0:
		return chosen{}, noPlatform(platform, s.others)
	case len(s.found) > 1 && top.digest == (v1.Hash{}):
		// A layout's list is not an index of one image: its order says nothing.
		var digests []string
		for _, c := range s.found {
			digests = append(digests, c.manifest.digest.String())
		}
		return chosen{}, broken("there are several images for %s: name a tag, or one of %s", platform, strings.Join(digests, ", "))
	}
	return s.found[0], nil
}

func noPlatform(want v1.Platform, have []string) error {
	slices.Sort(have)
	list := strings.Join(slices.Compact(have), ", ")
	if list == "" {
		list = "no image at all"
	}
	return fault.New(fault.Base, "choose another base, or one of its platforms with --platform", "it has no image for %s: it has %s", want, list)
}

// search walks indexes for the images of a platform.
type search struct {
	src    source
	want   v1.Platform
	found  []chosen // in the order of the index, each digest once
	others []string // the platforms of the rest
}

func (s *search) index(ctx context.Context, doc document, outermost v1.Hash, depth int) error {
	if depth >= maxDepth {
		return broken("indexes nest more than %d deep", maxDepth)
	}
	if outermost == (v1.Hash{}) {
		outermost = doc.digest
	}
	for _, desc := range doc.index.Manifests {
		if len(s.found) > 0 && outermost != (v1.Hash{}) {
			return nil // the first one is the one
		}
		if err := s.descriptor(ctx, desc, outermost, depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) descriptor(ctx context.Context, desc v1.Descriptor, outermost v1.Hash, depth int) error {
	switch {
	case desc.ArtifactType != "" && !isImageConfig(types.MediaType(desc.ArtifactType)), desc.Annotations["vnd.docker.reference.type"] != "":
		return nil // an attestation or another artifact; some tools give an image's descriptor its config's type
	case desc.Platform != nil && desc.Platform.OS == "unknown":
		return nil
	case desc.Platform != nil && desc.Platform.Architecture != "" && !matches(*desc.Platform, s.want):
		s.others = append(s.others, desc.Platform.String())
		return nil
	}
	if slices.ContainsFunc(s.found, func(c chosen) bool { return c.manifest.digest == desc.Digest }) {
		return nil
	}
	doc, err := s.src.document(ctx, desc.Digest)
	if err != nil {
		return err
	}
	if doc.index != nil {
		return s.index(ctx, doc, outermost, depth+1)
	}
	if desc.Platform == nil && !isImageConfig(doc.manifest.Config.MediaType) {
		return nil
	}
	c, err := readImage(ctx, s.src, doc)
	if err != nil {
		return err
	}
	if have := configPlatform(c.config); !matches(have, s.want) {
		if desc.Platform != nil {
			return broken("the index says that %s is for %s, its config says %s", desc.Digest, desc.Platform, have)
		}
		s.others = append(s.others, have.String())
		return nil
	}
	c.index = outermost
	s.found = append(s.found, c)
	return nil
}

// readImage reads and checks a manifest's config.
func readImage(ctx context.Context, src source, doc document) (chosen, error) {
	if err := checkManifest(doc); err != nil {
		return chosen{}, err
	}
	raw, err := src.config(ctx, doc.manifest.Config)
	if err != nil {
		return chosen{}, err
	}
	config, err := readConfig(raw, doc.manifest)
	if err != nil {
		return chosen{}, err
	}
	return chosen{manifest: doc, rawConfig: raw, config: config}, nil
}

func configPlatform(c *v1.ConfigFile) v1.Platform {
	return v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant, OSVersion: c.OSVersion}
}

// matches says whether an image runs on a platform. A variant counts only where both name one.
func matches(have, want v1.Platform) bool {
	return have.OS == want.OS && have.Architecture == want.Architecture &&
		(have.Variant == "" || want.Variant == "" || have.Variant == want.Variant)
}
