package pack

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"vpk/internal/progress"
	"vpk/layer"
)

// target is a destination and the word for what happens there.
type target struct {
	verb string
	layer.Destination
}

// targets are the destinations of a run, and the image's names.
func (o Options) targets(s *Sources) ([]target, []name.Tag, error) {
	names, err := layer.ParseNames(o.Tags)
	if err != nil {
		return nil, nil, err
	}
	var list []target
	for _, out := range o.Deliveries.Outputs {
		list = append(list, target{"wrote", out.Destination(dependencyTime)})
	}
	if o.Deliveries.Load != "" {
		engine := o.Deliveries.Load
		if engine == "auto" {
			engine = ""
		}
		list = append(list, target{"loaded", layer.Daemon{Engine: engine}})
	}
	if o.Deliveries.Push {
		list = append(list, target{"pushed", layer.Registry{Transport: s.client.RoundTripper(), Keychain: authn.DefaultKeychain}})
	}
	return list, names, nil
}

// deliver delivers to all targets side by side and says of each what became of it.
func deliver(ctx context.Context, s *Sources, targets []target, a layer.Artifact) ([]string, error) {
	said := make([]string, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() error {
			r, err := layer.Deliver(ctx, t, a, s.reporter)
			if err != nil {
				return err
			}
			said[i] = fmt.Sprintf("%s %s", t.verb, r.Target)
			if t.verb == "pushed" {
				said[i] += fmt.Sprintf(" (%s sent in %d blobs, %d were there)", progress.Bytes(r.Sent.Bytes), r.Sent.Blobs, r.Skipped.Blobs)
			}
			return nil
		})
	}
	return said, g.Wait()
}
