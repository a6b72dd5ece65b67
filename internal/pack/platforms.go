package pack

import (
	"context"
	"fmt"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/progress"
	"vpk/layer"
	"vpk/layer/base"
)

// Several platforms. Each gets an image of its own: its base, the wheels for it, its layers. What does not depend on the
// architecture is made once, since it is kept under keys that do not name it: pure wheels, and their bytecode where the bases
// have one build of the interpreter. What is made for another processor is started only where the base is there for no other, by an
// emulator if this machine has one.

// buildAll builds the image of the one platform, or those of several one after another, in the order given. What was built
// before an error is returned with it, to be closed.
func buildAll(ctx context.Context, s *Sources, o Options, clock *clock) ([]*image, error) {
	archs := []string{o.Arch}
	if len(o.Archs) > 1 {
		archs = o.Archs
		all := *s
		all.reporter = progress.Once(s.reporter)
		s = &all
	}
	if err := s.check(ctx, o.Project, o.Selection); err != nil {
		return nil, err
	}
	var images []*image
	for _, arch := range archs {
		one := o
		one.Arch = arch
		img, err := buildFresh(ctx, s, one, clock)
		if err != nil {
			if len(archs) > 1 {
				err = fmt.Errorf("linux/%s: %w", arch, err)
			}
			return images, err
		}
		images = append(images, img)
	}
	return images, nil
}

// artifacts are what is delivered: all that was made, and what of it an engine of this machine runs.
type artifacts struct {
	all, local layer.Artifact
	digest     v1.Hash
}

func newArtifacts(images []*image, names []name.Tag) (a artifacts, err error) {
	if len(images) == 1 {
		a.all = layer.Artifact{Image: images[0].v1, Names: names, Tree: images[0].tree}
		a.local, a.digest = a.all, images[0].digest
		return a, nil
	}
	a.all.Names, a.local.Names = names, names
	var list []v1.Image
	for _, img := range images {
		list = append(list, img.v1)
		if img.base.Platform.Architecture == runtime.GOARCH {
			a.local.Image, a.local.Tree = img.v1, img.tree
		}
	}
	if a.all.Index, err = layer.NewIndex(list); err != nil {
		return a, err
	}
	a.digest, err = a.all.Index.Digest()
	return a, err
}

// runnable gives the image whose interpreter compiles for a base: the base itself or, where that is for another processor, what
// the same reference names for this one. Whether the two have one interpreter is proven before it compiles anything. A base
// that is there for one architecture only is given back: an emulator may start it.
func runnable(ctx context.Context, s *Sources, o Options, b *base.Image) (*base.Image, error) {
	if b.Platform.Architecture == runtime.GOARCH {
		return b, nil
	}
	o.Arch = runtime.GOARCH
	own, err := resolveBase(ctx, s, o)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		s.reporter.Detail("no interpreter of this machine's architecture for the base's bytecode: %v", err)
		return b, nil
	}
	return own, nil
}
