package pack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/layer/diff"
)

// Claim is something that an image says of how it was made, and how it is here.
type Claim struct {
	What  string `json:"what"` // base, selection, format, options
	Image string `json:"image"`
	Here  string `json:"here"`
}

// AgainstOptions of Against.
type AgainstOptions struct {
	Image string // as Diff takes it
	// Pack says how to build where the image does not: from what project, with what sandbox. Time and platform are the image's.
	Pack Options
	// OwnBase and the like say that Pack's are to count, and not the image's.
	OwnBase, OwnSelection, OwnBytecode, OwnCompression bool
}

// Against builds a project as an image says that it was built, and compares the two.
func Against(ctx context.Context, s *Sources, o AgainstOptions) (_ *Reproduction, err error) {
	img, err := s.image(ctx, o.Image, o.Pack.Arch)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fault.Wrap(fault.Base, "", fmt.Errorf("read image: %w", err))
	}
	if err := o.follow(config); err != nil {
		return nil, err
	}
	scratch, remove, err := s.cache.TempDir("reproduce")
	if err != nil {
		return nil, fault.Wrap(fault.Delivery, "", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	cold, err := s.fork(filepath.Join(scratch, "cache"))
	if err != nil {
		return nil, err
	}
	clock := newClock()
	again, err := build(ctx, cold, o.Pack, clock)
	if err != nil {
		return nil, fmt.Errorf("pack again: %w", err)
	}
	defer func() { err = errors.Join(err, again.close()) }()
	claims, err := o.claims(config, again)
	if err != nil {
		return nil, err
	}
	report, err := diff.Images(ctx, o.Image, img, "packed again", again.v1)
	if err != nil {
		return nil, err
	}
	r := &Reproduction{
		Reproducible: report.Equal,
		Digest:       report.A.Digest,
		Builds:       []Build{*again.built(Conditions{Name: "as the image says", Env: []string{}}, clock)},
		Against:      claims,
	}
	if !report.Equal {
		r.Difference = report
	}
	return r, nil
}

// follow takes from an image's config how it was built.
func (o *AgainstOptions) follow(c *v1.ConfigFile) error {
	label, ok := c.Config.Labels[labelOptions]
	if !ok || c.Config.Labels[labelSelection] == "" || c.Config.Labels[labelFormat] == "" {
		return fault.New(fault.Usage, "compare it with another image: `vpk diff`", "image %q does not say how it was made: it was not packed by vpk, or by an old one", o.Image)
	}
	r, err := readRecipe(label)
	if err != nil {
		return err
	}
	o.Pack.Arch, o.Pack.Created = c.Architecture, c.Created.Time
	if !o.OwnSelection {
		r.choose(&o.Pack)
		p := *o.Pack.Project
		if err := p.meanPackages(r.Packages); err != nil {
			return err
		}
		o.Pack.Project = &p
	}
	if !o.OwnBytecode {
		o.Pack.Bytecode = !r.NoBytecode
	}
	if !o.OwnCompression {
		if o.Pack.Compression, err = layer.ParseCompression(r.Compression); err != nil {
			return fmt.Errorf("image %q: %w", o.Image, err)
		}
	}
	if name, digest := baseOf(c); !o.OwnBase && name != "" {
		ref, err := base.ParseRef(name + "@" + digest)
		if err != nil {
			return fault.Wrap(fault.Base, "name the base with --base", fmt.Errorf("image %q names a base: %w", o.Image, err))
		}
		o.Pack.Base = ref.String()
	}
	return nil
}

// baseOf is what an image says of its base. It has no name where that came from a layout or an archive.
func baseOf(c *v1.ConfigFile) (name, digest string) {
	return c.Config.Labels["org.opencontainers.image.base.name"], c.Config.Labels["org.opencontainers.image.base.digest"]
}

// claims puts next to each other what the image says and what is so here.
func (o *AgainstOptions) claims(c *v1.ConfigFile, again *image) ([]Claim, error) {
	here, err := o.Pack.labels(again.selection.Digest())
	if err != nil {
		return nil, err
	}
	_, digest := baseOf(c)
	claims := []Claim{{"base", digest, again.base.Digest.String()}}
	for _, l := range []struct{ what, label string }{{"selection", labelSelection}, {"format", labelFormat}, {"options", labelOptions}} {
		claims = append(claims, Claim{l.what, c.Config.Labels[l.label], here[l.label]})
	}
	return claims, nil
}
