package layer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
)

// defaultJobs is how many blobs are asked for or sent at once: a distroless base alone has 48 layers.
const defaultJobs = 16

// Registry pushes to the registries that the artifact's names say, every name in turn. A blob is asked for before it is
// sent, unless the registry is known to have it; a layer that another of its repositories has is mounted from there. Layers that may not be distributed are
// left where their URLs say.
type Registry struct {
	// Transport carries the requests; the default is go-containerregistry's. It is wrapped with retries, unless it is a
	// *transport.Wrapper of go-containerregistry.
	Transport http.RoundTripper
	// Keychain finds credentials; the default is to have none.
	Keychain authn.Keychain
	// Jobs is how many requests run at once; the default is 16.
	Jobs int
	// Cache remembers what was pushed where; nil: nothing does.
	Cache *cas.Store
}

// Deliver implements Destination.
func (r Registry) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	p, err := r.Begin(ctx, a.Names)
	if err != nil {
		return Delivered{}, err
	}
	defer p.Close()
	return p.Deliver(ctx, a, report)
}

// watch gives an image whose blobs are uploads, but for layers that are known to be there, and mounted where that can be.
func watch(img v1.Image, uploads map[v1.Hash]*upload, tag name.Tag, hopes *hopes) (v1.Image, error) {
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
		if !hopes.has(l) {
			watched.layers = append(watched.layers, mountable(uploads[m.Layers[i].Digest], l, tag, hopes))
		}
	}
	return watched, nil
}

// mountable gives the upload of a layer as one that is mounted, where another repository of the same registry has it. Between
// registries there is nothing to mount.
func mountable(u *upload, l v1.Layer, tag name.Tag, hopes *hopes) v1.Layer {
	if from, ok := l.(*remote.MountableLayer); ok {
		if from.Reference.Context().Registry != tag.Registry {
			return u
		}
		return &remote.MountableLayer{Layer: u, Reference: from.Reference}
	}
	if _, own := l.(*Layer); own {
		if from, ok := hopes.source(tag.Context(), u.digest); ok {
			return &remote.MountableLayer{Layer: u, Reference: from}
		}
	}
	return u
}

// unmounted is a layer without the word of where else it is.
func unmounted(l v1.Layer) v1.Layer {
	if from, ok := l.(*remote.MountableLayer); ok {
		return from.Layer
	}
	return l
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

// Layers are those that are asked for; what has them is the manifest.
func (w watchedImage) Layers() ([]v1.Layer, error)    { return slices.Clone(w.layers), nil }
func (w watchedImage) ConfigLayer() (v1.Layer, error) { return w.config, nil }

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
