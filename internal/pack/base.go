package pack

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/layer/base"
)

// openBase opens the base image of a project, and says so where it is not pinned.
func openBase(ctx context.Context, s *Sources, o Options) (*base.Image, error) {
	b, err := resolveBase(ctx, s, o)
	if err == nil {
		if text, hint := unpinned(b); text != "" {
			s.reporter.Note("%s (%s)", text, hint)
		}
	}
	return b, err
}

// resolveBase opens the base image. A relative path is the project's when [tool.vpk] names it, else the user's.
func resolveBase(ctx context.Context, s *Sources, o Options) (*base.Image, error) {
	ref, err := o.baseRef()
	if err != nil {
		return nil, err
	}
	b, err := base.Open(ctx, ref, s.baseOptions(o.Arch))
	// A form that is misspelt is a registry's reference with a tag.
	if form, path, ok := strings.Cut(o.Base, ":"); err != nil && ok && ref.IsRegistry() {
		if near := spelling.Nearest(form, []string{"oci-archive", "docker-archive"}); near != "" {
			err = fault.Wrap(fault.KindOf(err), fmt.Sprintf("did you mean %s:%s?", near, path), err)
		}
	}
	return b, err
}

// unpinned tells that a base image may be another one tomorrow, and what to do; both are empty for one that cannot.
func unpinned(b *base.Image) (text, hint string) {
	if !b.Ref.IsRegistry() || b.Pinned() {
		return "", ""
	}
	pin, err := b.Pin()
	if err != nil {
		return "", ""
	}
	return fmt.Sprintf("base image %s is not pinned; it is %s now", b.Ref, pin), "`vpk base pin` writes that down"
}

func (o Options) baseRef() (base.Ref, error) {
	ref, err := base.ParseRef(o.Base)
	if err != nil {
		return base.Ref{}, err
	}
	if o.Base == o.Project.Config.Base {
		ref = ref.In(o.Project.baseDir())
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
		Boot:      bootID(),
		Progress:  s.reporter,
	}
}
