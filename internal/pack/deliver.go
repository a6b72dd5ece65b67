package pack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

// target is a destination and the word for what happens there.
type target struct {
	verb string
	layer.Destination
	local bool // it takes what this machine runs
}

// targets are the destinations of a run, and the image's names. What is pushed is asked for already.
func (o Options) targets(ctx context.Context, s *Sources) ([]target, []name.Tag, error) {
	if err := o.Deliveries.check(); err != nil {
		return nil, nil, err
	}
	names, err := layer.ParseNames(o.Tags)
	if err != nil {
		return nil, nil, err
	}
	var list []target
	for _, out := range o.Deliveries.Outputs {
		if len(o.Archs) > 1 && (out.Form == layer.FormDockerArchive || out.Form == layer.FormDirectory) {
			return nil, nil, fault.New(fault.Usage, "write oci:DIR or oci-archive:FILE, or pack each platform by itself", "%s holds one platform, not %d", out, len(o.Archs))
		}
		list = append(list, target{verb: "wrote", Destination: out.Destination(dependencyTime)})
	}
	if o.Deliveries.Load != "" {
		engine := o.Deliveries.Load
		if engine == "auto" {
			engine = ""
		}
		daemon := layer.Daemon{Engine: engine}
		if err := daemon.Check(); err != nil {
			return nil, nil, err
		}
		if len(o.Archs) > 1 && !slices.Contains(o.Archs, runtime.GOARCH) {
			return nil, nil, fault.New(fault.Usage, "add linux/"+runtime.GOARCH+", or push", "load: none of the platforms is this machine's")
		}
		list = append(list, target{verb: "loaded", Destination: daemon, local: true})
	}
	if o.Deliveries.Push {
		push, err := layer.Registry{Transport: s.client.RoundTripper(), Keychain: authn.DefaultKeychain, Cache: s.cache}.Begin(ctx, names)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, target{verb: "pushed", Destination: push})
	}
	return list, names, nil
}

// begun is the push among targets, nil where there is none.
func begun(targets []target) *layer.Push {
	for _, t := range targets {
		if push, ok := t.Destination.(*layer.Push); ok {
			return push
		}
	}
	return nil
}

// wantFiles says whether something gets the image's files one by one, and not in layers.
func (d Deliveries) wantFiles() bool {
	return slices.ContainsFunc(d.Outputs, func(o layer.Output) bool { return o.Form == layer.FormDirectory })
}

// check finds, before there is anything to deliver, files that would be overwritten by each other, and a digest file that cannot be
// one. A layout may be named twice: it is for several images, under their tags.
func (d Deliveries) check() error {
	said := map[string]layer.Output{}
	for _, out := range d.Outputs {
		path, err := filepath.Abs(out.Path)
		if err != nil {
			return err
		}
		if other, ok := said[path]; ok && (out.Form != layer.FormLayout || other.Form != layer.FormLayout) {
			return fault.New(fault.Usage, "name another path", "%s and %s are the same place", other, out)
		}
		said[path] = out
	}
	if d.TraceFile != "" {
		path, err := filepath.Abs(d.TraceFile)
		if err != nil {
			return err
		}
		if out, ok := said[path]; ok {
			return fault.New(fault.Usage, "name another path", "the trace and %s are the same place", out)
		}
		if digest, err := filepath.Abs(d.DigestFile); err == nil && d.DigestFile != "" && digest == path {
			return fault.New(fault.Usage, "name another path", "the trace and the digest file are the same place")
		}
	}
	if d.DigestFile == "" {
		return nil
	}
	path, err := filepath.Abs(d.DigestFile)
	if err != nil {
		return err
	}
	if out, ok := said[path]; ok {
		return fault.New(fault.Usage, "name another path", "the digest file and %s are the same place", out)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fault.New(fault.Delivery, "name a file", "write digest file: %q is a directory", d.DigestFile)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fault.New(fault.Delivery, "the directory that it goes to must exist", "write digest file: %w", err)
	}
	return nil
}

// deliver delivers to all targets side by side and says of each what became of it.
func deliver(ctx context.Context, s *Sources, targets []target, made artifacts) ([]string, error) {
	said := make([]string, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() error {
			what := made.all
			if t.local {
				what = made.local
			}
			r, err := layer.Deliver(ctx, t, what, s.reporter)
			if err != nil {
				return err
			}
			said[i] = fmt.Sprintf("%s %s", t.verb, r.Target)
			if t.verb == "pushed" {
				said[i] += fmt.Sprintf(" (%s sent in %s, %d there already)", progress.Bytes(r.Sent.Bytes), progress.Count(r.Sent.Blobs, "blob"), r.Skipped.Blobs)
			}
			return nil
		})
	}
	return said, g.Wait()
}
