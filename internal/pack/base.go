package pack

import (
	"context"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/layer/base"
)

// openBase opens the base image of a project. A relative path is the project's when [tool.vpk] names it, else the user's.
func openBase(ctx context.Context, s *Sources, o Options) (*base.Image, error) {
	ref, err := o.baseRef()
	if err != nil {
		return nil, err
	}
	b, err := base.Open(ctx, ref, s.baseOptions(o.Arch))
	if err != nil {
		return nil, err
	}
	if ref.IsRegistry() && !b.Pinned() {
		if pin, err := b.Pin(); err == nil {
			s.reporter.Note("base image %s is not pinned; it is %s now (`vpk base pin` writes that down)", ref, pin)
		}
	}
	return b, nil
}

func (o Options) baseRef() (base.Ref, error) {
	ref, err := base.ParseRef(o.Base)
	if err != nil {
		return base.Ref{}, err
	}
	if o.Base == o.Project.Config.Base {
		ref = ref.In(o.Project.Dir)
	}
	return ref, nil
}

// baseOptions say how images are read. The architecture is OCI's, "" for the host's.
func (s *Sources) baseOptions(arch string) base.Options {
	if arch == "" {
		arch = runtime.GOARCH
	}
	return base.Options{
		Cache:     s.cache,
		Platform:  v1.Platform{OS: "linux", Architecture: arch},
		Transport: s.client.RoundTripper(),
		Keychain:  authn.DefaultKeychain,
		Offline:   s.offline,
		Progress:  s.reporter,
	}
}
