package pack

import (
	"context"
	"errors"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/layer"
	"vpk/layer/base"
	"vpk/lockfile"
	"vpk/venv"
	"vpk/venv/tree"
)

// Pack makes an image of a project and delivers it.
func Pack(ctx context.Context, s *Sources, o Options) (_ *Result, err error) {
	targets, names, err := o.targets(s)
	if err != nil {
		return nil, err
	}
	clock := newClock()
	img, err := build(ctx, s, o, clock)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, img.close()) }()
	said, err := deliver(ctx, s, targets, layer.Artifact{Image: img.v1, Names: names, Tree: img.tree})
	if err != nil {
		return nil, err
	}
	clock.step("deliver")
	return img.result(names, said, clock), nil
}

// image is an image that is not delivered yet: its bytes are in the cache, or can be made from what is. It holds open wheels.
type image struct {
	v1         v1.Image
	digest     v1.Hash
	base       *base.Image
	selection  *lockfile.Selection
	wheels     *wheels
	tree       tree.Tree
	layers     []*layer.Layer
	bytecode   Bytecode
	collisions []venv.Collision
}

func (i *image) close() error { return i.wheels.close() }

// build is the story up to the delivery.
func build(ctx context.Context, s *Sources, o Options, clock *clock) (_ *image, err error) {
	p := o.Project
	if err := p.check(o.Selection); err != nil {
		return nil, err
	}
	img := &image{}
	if img.base, err = openBase(ctx, s, o); err != nil {
		return nil, err
	}
	clock.step("base")
	facts := img.base.Facts
	if img.selection, err = p.choose(o.Selection, facts.Target); err != nil {
		return nil, err
	}
	own, err := projectPart(ctx, s, p, o.Deliveries)
	if err != nil {
		return nil, err
	}
	clock.step("select")

	var c *compiler
	if o.Bytecode {
		c = baseCompiler(ctx, s, img.base, o.Sandbox)
		defer func() {
			if c != nil {
				err = errors.Join(err, c.pyc.Close())
			}
		}()
	}
	spec := venv.Spec{Prefix: prefix, Python: facts.Target.Python, Interpreter: facts.Interpreter}
	if img.wheels, err = installWheels(ctx, s, spec, img.selection, c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, img.close())
		}
	}()
	clock.step("wheels")
	var dependencies, app []tree.Part
	if dependencies, img.collisions, err = environmentParts(spec, img.wheels, p.Config); err != nil {
		return nil, err
	}
	for _, collision := range img.collisions {
		s.reporter.Note("two packages bring %s", collision)
	}
	if len(own.Entries) > 0 {
		app = append(app, own)
	}
	img.tree = tree.Tree{Parts: slices.Concat(dependencies, app)}
	config, err := imageConfig(p.Config, img.base.ConfigFile().Config.Env, newFiles(img.tree, img.base.Files), slices.Sorted(maps.Keys(p.Manifest.Scripts)))
	if err != nil {
		return nil, err
	}
	config.Created = o.Created
	config.Labels = labelled(config.Labels, labelSelection, img.selection.Digest())
	if c != nil {
		bytecode, err := c.project(ctx, own)
		if err != nil {
			return nil, err
		}
		if len(bytecode.Entries) > 0 {
			app = append(app, bytecode)
		}
		finished := c
		c = nil
		if img.bytecode, err = finished.finish(ctx); err != nil {
			return nil, err
		}
		img.tree = tree.Tree{Parts: slices.Concat(dependencies, app)}
	}
	clock.step("bytecode")

	if img.layers, err = buildLayers(ctx, s, o, img.base, dependencies, app); err != nil {
		return nil, err
	}
	info := layer.BaseInfo{Digest: img.base.Digest}
	if img.base.Ref.IsRegistry() {
		// Only a registry's reference means the same to others; a digest in it is said by itself.
		info.Name = img.base.Ref.Unpinned().String()
	}
	if img.v1, err = layer.Image(img.base.V1(ctx), info, img.layers, config); err != nil {
		return nil, err
	}
	img.digest, err = img.v1.Digest()
	clock.step("layers")
	return img, err
}

// labelled is labels with one more.
func labelled(labels map[string]string, name, value string) map[string]string {
	with := map[string]string{name: value}
	maps.Copy(with, labels)
	return with
}
