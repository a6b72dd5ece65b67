package layer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"vpk/internal/fault"
	"vpk/internal/progress"
)

// defaultJobs is how many blobs are asked for or sent at once: a distroless base alone has 48 layers.
const defaultJobs = 16

// Registry pushes to the registries that the artifact's names say, every name in turn. A blob is asked for before it is
// sent; a layer of the base is mounted where the base comes from the same registry. Layers that may not be distributed are
// left where their URLs say.
type Registry struct {
	// Transport carries the requests; the default is go-containerregistry's. It is wrapped with retries, unless it is a
	// *transport.Wrapper of go-containerregistry.
	Transport http.RoundTripper
	// Keychain finds credentials; the default is to have none.
	Keychain authn.Keychain
	// Jobs is how many requests run at once; the default is 16.
	Jobs int
}

// Deliver implements Destination.
func (r Registry) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	if len(a.Names) == 0 {
		return Delivered{}, fault.New(fault.Usage, "name the image with -t REGISTRY/NAME:TAG", "push: the image has no name")
	}
	p, err := a.pieces()
	if err != nil {
		return Delivered{}, fmt.Errorf("push image: %w", err)
	}
	for _, d := range p.layers {
		if !d.MediaType.IsDistributable() {
			report.Note("layer %s of the base image may not be distributed and is not pushed", d.Digest)
		}
	}
	options := []remote.Option{remote.WithJobs(cmp.Or(r.Jobs, defaultJobs))}
	if r.Keychain != nil {
		options = append(options, remote.WithAuthFromKeychain(r.Keychain))
	}
	if r.Transport != nil {
		options = append(options, remote.WithTransport(r.Transport))
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return Delivered{}, fmt.Errorf("push image: %w", err)
	}
	res := Delivered{Target: a.Names[0].Context().Digest(p.manifest.Digest.String()).Name(), Digest: p.manifest.Digest}
	for _, tag := range a.Names {
		if err := push(ctx, pusher, tag, a, p, report, &res); err != nil {
			return Delivered{}, pushFault(ctx, tag, err)
		}
	}
	return res, nil
}

// push pushes to one name and adds up what was sent.
func push(ctx context.Context, pusher *remote.Pusher, tag name.Tag, a Artifact, p pieces, report progress.Reporter, res *Delivered) error {
	task := report.Task("push "+tag.String(), p.size)
	defer task.Done()
	uploads := map[v1.Hash]*upload{}
	for _, b := range p.blobs {
		uploads[b.desc.Digest] = &upload{Layer: b.layer, size: b.desc.Size, open: func() (io.ReadCloser, error) { return b.open(ctx) }, task: task}
	}
	var what remote.Taggable
	var err error
	if a.Index == nil {
		what, err = watch(a.Image, uploads, tag)
	} else {
		watched := watchedIndex{Index: a.Index, images: map[v1.Hash]v1.Image{}}
		for _, img := range a.Index.images {
			digest, err := img.Digest()
			if err != nil {
				return err
			}
			if watched.images[digest], err = watch(img, uploads, tag); err != nil {
				return err
			}
		}
		what = watched
	}
	if err != nil {
		return err
	}
	if err := pusher.Push(ctx, tag, what); err != nil {
		return err
	}
	for _, b := range p.blobs {
		switch u := uploads[b.desc.Digest]; {
		case b.desc.MediaType.IsImage() || b.desc.MediaType.IsIndex(): // no blob to a registry
		case u.opened.Load():
			res.Sent.add(b.desc.Size)
		default:
			res.Skipped.add(b.desc.Size)
			task.Add(b.desc.Size)
		}
	}
	return nil
}

// watch gives an image whose blobs are uploads, and the base's layers mounted where they are in the same registry.
func watch(img v1.Image, uploads map[v1.Hash]*upload, tag name.Tag) (v1.Image, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return nil, err
	}
	watched := watchedImage{Image: img, config: uploads[m.Config.Digest]}
	watched.config.Layer = config
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for i, l := range layers {
		u := uploads[m.Layers[i].Digest]
		// Between registries there is nothing to mount.
		if from, ok := l.(*remote.MountableLayer); ok && from.Reference.Context().Registry == tag.Registry {
			watched.layers = append(watched.layers, &remote.MountableLayer{Layer: u, Reference: from.Reference})
			continue
		}
		watched.layers = append(watched.layers, u)
	}
	return watched, nil
}

// watchedIndex is an index of watched images.
type watchedIndex struct {
	*Index
	images map[v1.Hash]v1.Image
}

func (w watchedIndex) Image(h v1.Hash) (v1.Image, error) { return w.images[h], nil }

// watchedImage is an image whose blobs tell what becomes of them.
type watchedImage struct {
	v1.Image
	layers []v1.Layer
	config *upload
}

func (w watchedImage) Layers() ([]v1.Layer, error)    { return slices.Clone(w.layers), nil }
func (w watchedImage) ConfigLayer() (v1.Layer, error) { return w.config, nil }

// upload is a blob that notes whether, and how far, it is read.
type upload struct {
	v1.Layer
	size   int64
	open   func() (io.ReadCloser, error)
	task   progress.Task
	opened atomic.Bool
	read   atomic.Int64 // in the present attempt
}

// Compressed implements v1.Layer. Each call is a new attempt.
func (u *upload) Compressed() (io.ReadCloser, error) {
	u.task.Add(-u.read.Swap(0))
	rc, err := u.open()
	if err != nil {
		return nil, err
	}
	u.opened.Store(true)
	return &uploadReader{rc, u}, nil
}

type uploadReader struct {
	io.ReadCloser
	upload *upload
}

func (r *uploadReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.upload.read.Add(int64(n))
	r.upload.task.Add(int64(n))
	return n, err
}

// pushFault says what a push failed of. Upload URLs may carry tokens in their query, which no message shows.
func pushFault(ctx context.Context, tag name.Tag, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("push %q: %w", tag, context.Cause(ctx))
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		if u, perr := url.Parse(ue.URL); perr == nil {
			u.RawQuery = ""
			ue.URL = u.Redacted()
		}
	}
	if fault.KindOf(err) != fault.Other {
		return fmt.Errorf("push %q: %w", tag, err)
	}
	hint := ""
	var te *transport.Error
	switch {
	case errors.As(err, &te) && (te.StatusCode == http.StatusUnauthorized || te.StatusCode == http.StatusForbidden):
		hint = fmt.Sprintf("log in with `docker login %s`, and check that you may push there", tag.RegistryStr())
	case te == nil && ue != nil: // there was no answer
		hint = fmt.Sprintf("check the name %q, the network and the proxy settings, and try again", tag.RegistryStr())
	}
	return fault.New(fault.Delivery, hint, "push %q: %w", tag, err)
}
