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
	locals     []local
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
	if err := s.check(p, o.Selection); err != nil {
		return nil, err
	}
	img := &image{}
	defer func() {
		if err != nil {
			err = errors.Join(err, img.close())
		}
	}()
	if img.base, err = openBase(ctx, s, o); err != nil {
		return nil, err
	}
	clock.step("base")
	facts := img.base.Facts
	bytecode, err := o.bytecode(facts.Target.Python)
	if err != nil {
		return nil, err
	}
	if img.selection, err = p.choose(o.Selection, facts.Target); err != nil {
		return nil, err
	}
	if err := o.Selection.requireHashes(img.selection); err != nil {
		return nil, err
	}
	if img.locals, err = p.locals(img.selection); err != nil {
		return nil, err
	}
	own, err := p.projectParts(ctx, s, img.selection, o.Selection, o.Deliveries)
	if err != nil {
		return nil, err
	}
	if err := p.checkRoots(img.locals, own); err != nil {
		return nil, err
	}
	clock.step("select")

	spec := venv.Spec{Prefix: prefix, Python: facts.Target.Python, Interpreter: facts.Interpreter}
	var c *compiler
	if bytecode != nil {
		c = baseCompiler(ctx, s, spec, *bytecode, img.base, o.Sandbox)
		defer func() { err = errors.Join(err, c.close()) }()
	}
	library := beside(func() ([]tree.Part, error) { return c.standardLibrary(ctx, img.base) })
	img.wheels, err = installWheels(ctx, s, p, spec, img.selection, c)
	stdlib, stdlibErr := library()
	if err = errors.Join(distinct([]error{err, stdlibErr})...); err != nil {
		return nil, err
	}
	dependencies, installed, err := img.join(s, spec, p)
	if err != nil {
		return nil, err
	}
	app, err := appParts(ctx, own, c)
	if err != nil {
		return nil, err
	}
	app = slices.Concat(installed, app)
	if c != nil {
		img.bytecode = c.counts()
	}
	img.tree = tree.Tree{Parts: slices.Concat(stdlib, dependencies, app)}
	clock.step("wheels")

	config, err := img.config(p, o, bytecode)
	if err != nil {
		return nil, err
	}
	if img.layers, err = img.buildLayers(ctx, s, o, spec, stdlib, dependencies, app); err != nil {
		return nil, err
	}
	if img.v1, err = layer.Image(img.base.V1(ctx), img.baseInfo(), img.layers, config); err != nil {
		return nil, err
	}
	img.digest, err = img.v1.Digest()
	clock.step("layers")
	return img, err
}

// join gives the environment's parts, those of projects that are installed in place by themselves, and notes what packages
// disagree on.
func (i *image) join(s *Sources, spec venv.Spec, p *Project) (dependencies, locals []tree.Part, err error) {
	installed, err := installLocals(spec, i.locals, p.inImage)
	if err != nil {
		return nil, nil, err
	}
	parts, collisions, err := environmentParts(spec, i.wheels, installed, p.Config)
	i.collisions = collisions
	for _, collision := range i.collisions {
		s.reporter.Note("two packages bring %s", collision)
	}
	dependencies, locals = apart(parts)
	return dependencies, locals, err
}

// appParts are the projects' own files, each part followed by its bytecode unless c is nil.
func appParts(ctx context.Context, own []tree.Part, c *compiler) ([]tree.Part, error) {
	if c == nil {
		return own, nil
	}
	var parts []tree.Part
	for _, part := range own {
		bytecode, err := c.project(ctx, part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if len(bytecode.Entries) > 0 {
			parts = append(parts, bytecode)
		}
	}
	return parts, nil
}

// config is the image's configuration, with what it says of its origin.
func (i *image) config(p *Project, o Options, bytecode *bytecodeOptions) (layer.Config, error) {
	said := p.Config
	if bytecode != nil {
		said.Env = bytecode.environment(said.Env)
	}
	if said.Workdir == "" {
		var err error
		if said.Workdir, err = p.workdir(i.selection); err != nil {
			return layer.Config{}, err
		}
	}
	scripts := slices.Sorted(maps.Keys(p.member.manifest.Scripts))
	c, err := imageConfig(said, i.base.ConfigFile().Config.Env, newFiles(i.tree, i.base.Files), scripts)
	if err != nil {
		return c, err
	}
	c.Created = o.Created
	labels, err := o.labels(i.selection.Digest())
	if err != nil {
		return c, err
	}
	maps.Copy(labels, c.Labels)
	c.Labels = labels
	return c, nil
}

// baseInfo is what the image says of its base. Only a registry's reference is a name that means the same to others.
func (i *image) baseInfo() layer.BaseInfo {
	info := layer.BaseInfo{Digest: i.base.Digest}
	if i.base.Ref.IsRegistry() {
		info.Name = i.base.Ref.Unpinned().String()
	}
	return info
}
