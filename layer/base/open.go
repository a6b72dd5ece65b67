package base

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/wheel/tag"
)

// Options say how a base is opened.
type Options struct {
	// Cache keeps what was downloaded and found out. Required.
	Cache *cas.Store
	// Platform is the wanted platform: OS "linux", architecture "amd64" or "arm64". Required.
	Platform v1.Platform
	// Transport carries the requests to a registry; nil is go-containerregistry's default.
	Transport http.RoundTripper
	// Keychain finds the credentials for a registry; nil asks without any.
	Keychain authn.Keychain
	// Offline asks no registry: what is not in the cache is an error.
	Offline bool
	// Jobs bounds the layers that are read at one time; 0 is 8.
	Jobs int
	// Boot names the boot of this machine. Files of unpacked roots that were compared in the same boot, and look as they did, are not
	// read again; empty: they are at each use.
	Boot string
	// Progress hears of downloads; nil is nobody.
	Progress progress.Reporter
}

// Image is an opened base image. It is immutable and safe for concurrent use.
type Image struct {
	// Ref is the reference as it was configured.
	Ref Ref
	// Digest is the manifest's, IndexDigest that of the index it was found through, zero when there was none.
	Digest, IndexDigest v1.Hash
	// Platform is what the config says that the image is for.
	Platform v1.Platform
	// Facts say which CPython the image has.
	Facts Facts
	// Files is its squashed root file system.
	Files *Files

	chosen chosen
	source source
	opts   Options
}

const defaultJobs = 8

// Open finds the image that ref names for the wanted platform, and says what it is. The layers are read once for each
// manifest digest; after that their index comes from the cache.
//
// Errors are fault.Base where the image is not what it must be, fault.Integrity where bytes do not have their digest,
// fault.Network where a registry does not answer or Offline forbids to ask it.
func Open(ctx context.Context, ref Ref, opts Options) (*Image, error) {
	img, err := open(ctx, ref, opts)
	if err != nil {
		return nil, fmt.Errorf("base image %q: %w", ref, err)
	}
	return img, nil
}

// Load finds an image as Open does, without reading its layers: any image, not only one that can be a base. ctx is also
// for what opening its layers costs later.
func Load(ctx context.Context, ref Ref, opts Options) (v1.Image, error) {
	img, err := find(ctx, ref, opts)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", ref, err)
	}
	return img.V1(ctx), nil
}

func open(ctx context.Context, ref Ref, opts Options) (*Image, error) {
	if _, err := tag.ParseOCIArch(opts.Platform.Architecture); err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	img, err := find(ctx, ref, opts)
	if err != nil {
		return nil, err
	}
	if img.Files, err = img.index(ctx); err != nil {
		return nil, err
	}
	if img.Facts, err = findFacts(img.Files, img.chosen.config); err != nil {
		return nil, err
	}
	return img, nil
}

// find is an image of which only manifest and config are known.
func find(ctx context.Context, ref Ref, opts Options) (*Image, error) {
	if opts.Progress == nil {
		opts.Progress = progress.Discard
	}
	if opts.Jobs <= 0 {
		opts.Jobs = defaultJobs
	}
	if opts.Platform.OS != "linux" {
		return nil, fault.New(fault.Usage, "", "platform %q: images are for linux", opts.Platform)
	}
	span := trace.Start(ctx, trace.ResolveBase, ref.String())
	defer span.End()
	src, err := newSource(ctx, ref, opts)
	if err != nil {
		return nil, err
	}
	c, err := choose(ctx, src, opts.Platform)
	if err != nil {
		return nil, err
	}
	return &Image{
		Ref:         ref,
		Digest:      c.manifest.digest,
		IndexDigest: c.index,
		Platform:    configPlatform(c.config),
		chosen:      c,
		source:      src,
		opts:        opts,
	}, nil
}

// newSource opens what a reference points to.
func newSource(ctx context.Context, ref Ref, opts Options) (source, error) {
	if ref.IsRegistry() {
		return newRegistry(ref, opts)
	}
	path, imageTag := ref.split(func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fault.Wrap(fault.Base, "", err)
	case ref.scheme == schemeLayout && !info.IsDir():
		return nil, fault.New(fault.Base, "for an archive say oci-archive: or docker-archive:", "%q is not a directory", path)
	case ref.scheme != schemeLayout && !info.Mode().IsRegular():
		return nil, fault.New(fault.Base, "for a directory say oci:", "%q is not a file", path)
	case ref.scheme == schemeLayout:
		return layout{open: directory(path), tag: imageTag, digest: ref.digest}, nil
	}
	file, err := openImageFile(ctx, path, opts.Cache)
	if err != nil {
		return nil, err
	}
	if ref.scheme == schemeDocker {
		return openDockerArchive(ctx, file, imageTag)
	}
	return layout{open: file.open, tag: imageTag, digest: ref.digest}, nil
}

// index is the file index, from the cache or from the layers.
func (i *Image) index(ctx context.Context) (*Files, error) {
	span := trace.Start(ctx, trace.IndexBase, i.Digest.String())
	defer func() { span.End() }()
	data, err := i.opts.Cache.Record(kindFiles, i.Digest.Hex)
	switch {
	case err == nil:
		if files, err := decodeFiles(data); err == nil {
			return files, nil
		}
		// Its checksum was right, so this version of the kind was written by something else: make it again.
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	span.End()
	files, err := squash(ctx, i.layerSources(), i.opts.Jobs)
	if err != nil {
		return nil, err
	}
	span = trace.Start(ctx, trace.Store, i.Digest.String())
	return files, i.opts.Cache.PutRecord(kindFiles, i.Digest.Hex, files.encode())
}

func (i *Image) layerSources() []layerSource {
	var sources []layerSource
	for n, desc := range i.chosen.manifest.manifest.Layers {
		sources = append(sources, layerSource{
			diffID: i.chosen.config.RootFS.DiffIDs[n],
			open:   func(ctx context.Context) (io.ReadCloser, error) { return i.source.blob(ctx, desc) },
		})
	}
	return sources
}

// ConfigFile is a copy of the image's config.
func (i *Image) ConfigFile() *v1.ConfigFile { return i.chosen.config.DeepCopy() }

// Pinned says whether the reference names a digest, so that it can never mean another image.
func (i *Image) Pinned() bool { return i.Ref.Pinned() }

// Pin is the reference with the digest that it has now: NAME:TAG@sha256:…, of the index where there is one, so that it
// serves every platform. The tag stays, for people and for the next pin. A Docker archive cannot be pinned: it has no digest.
func (i *Image) Pin() (Ref, error) {
	if i.Ref.scheme == schemeDocker {
		return Ref{}, fault.New(fault.Usage, "convert it to an OCI archive", "base image %q: a Docker archive has no digest to pin", i.Ref)
	}
	pinned := i.Ref
	pinned.digest = i.Digest.String()
	if i.IndexDigest != (v1.Hash{}) {
		pinned.digest = i.IndexDigest.String()
	}
	return pinned, nil
}
