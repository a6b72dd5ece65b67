package pack

import (
	"context"
	"errors"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/trace"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/lockfile"
	"vpk/venv"
	"vpk/venv/tree"
)

// Pack makes an image of a project, or one for each of several platforms, and delivers it.
func Pack(ctx context.Context, s *Sources, o Options) (_ *Result, err error) {
	clock := newClock()
	targets, names, err := o.targets(ctx, s)
	if err != nil {
		return nil, err
	}
	push := begun(targets)
	if push != nil {
		o.offer = func(layers ...v1.Layer) { push.Offer(ctx, layers...) }
	}
	images, err := buildAll(ctx, s, o, clock)
	defer func() {
		if push != nil {
			push.Close() // it reads what images hold open
		}
		for _, img := range images {
			err = errors.Join(err, img.close())
		}
	}()
	if err != nil {
		return nil, err
	}
	made, err := newArtifacts(images, names)
	if err != nil {
		return nil, err
	}
	said, err := deliver(ctx, s, targets, made)
	if err != nil {
		return nil, err
	}
	clock.step("deliver")
	r := result(images, made.digest, names, said, clock)
	r.Timings = trace.From(ctx).Timings()
	return r, nil
}

// image is an image that is not delivered yet: its bytes are in the cache, or can be made from what is. It holds open wheels.
type image struct {
	v1         v1.Image
	digest     v1.Hash
	base       *base.Image
	runner     *base.Image // whose interpreter compiles
	selection  *lockfile.Selection
	locals     []local
	compiler   *compiler // nil without bytecode
	wheels     *wheels   // nil where none were needed
	tree       tree.Tree // nothing of an environment that is recalled
	layers     []*layer.Layer
	packages   []Package
	bytecode   Bytecode
	collisions []venv.Collision
}

func (i *image) close() error { return errors.Join(i.compiler.close(), i.wheels.close()) }

// build is the story up to the delivery.
func build(ctx context.Context, s *Sources, o Options, clock *clock) (*image, error) {
	if err := s.check(ctx, o.Project, o.Selection); err != nil {
		return nil, err
	}
	return buildFresh(ctx, s, o, clock)
}

// buildFresh is the story of a project whose lock is compared already.
func buildFresh(ctx context.Context, s *Sources, o Options, clock *clock) (_ *image, err error) {
	p := o.Project
	img := &image{}
	defer func() {
		if err != nil {
			err = errors.Join(err, img.close())
		}
	}()
	if img.base, err = openBase(ctx, s, o); err != nil {
		return nil, err
	}
	if err := o.offerBase(img.base.V1(ctx)); err != nil {
		return nil, err
	}
	clock.step("base")
	facts := img.base.Facts
	bytecode, err := o.bytecode(facts.Target.Python)
	if err != nil {
		return nil, err
	}
	span := trace.Start(ctx, trace.Select, "")
	img.selection, err = p.choose(o.Selection, facts.Target)
	span.End()
	if err != nil {
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
		if img.runner, err = runnable(ctx, s, o, img.base); err != nil {
			return nil, err
		}
		c = baseCompiler(ctx, s, spec, *bytecode, img.base, img.runner, o.Sandbox)
		img.compiler = c
	}
	env, config, app, err := img.contents(ctx, s, o, spec, c, own)
	if err != nil {
		return nil, err
	}
	clock.step("environment")

	c.end(ctx)
	app = slices.Concat(env.locals, app)
	top, err := img.appLayer(ctx, s, o, app)
	if err != nil {
		return nil, err
	}
	if c != nil {
		img.bytecode = c.all()
	}
	img.packages, img.collisions = env.packages, env.collisions
	img.tree = tree.Tree{Parts: slices.Concat(env.parts, app)}
	img.layers = slices.Concat(env.layers, top)
	span = trace.Start(ctx, trace.Assemble, "")
	defer span.End()
	if img.v1, err = layer.Image(img.base.V1(ctx), img.baseInfo(), img.layers, config); err != nil {
		return nil, err
	}
	img.digest, err = img.v1.Digest()
	clock.step("layers")
	return img, err
}

// contents are the environment, the configuration, and the projects' own files with their bytecode, made side by side.
func (i *image) contents(ctx context.Context, s *Sources, o Options, spec venv.Spec, c *compiler, own []tree.Part) (*environment, layer.Config, []tree.Part, error) {
	appCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	compiled := beside(func() ([]tree.Part, error) { return appParts(appCtx, own, c) })
	env, config, err := i.environment(ctx, s, o, spec, c, own)
	if err != nil {
		cancel()
		_, _ = compiled() // whatever became of it
		return nil, config, nil, err
	}
	app, err := compiled()
	return env, config, app, err
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

// config is the image's configuration, with what it says of its origin. The parts have what a command may name.
func (i *image) config(o Options, c *compiler, parts ...tree.Part) (layer.Config, error) {
	p := o.Project
	said := p.Config
	if c != nil {
		said.Env = c.options.environment(said.Env)
	}
	if said.Workdir == "" {
		var err error
		if said.Workdir, err = p.workdir(i.selection); err != nil {
			return layer.Config{}, err
		}
	}
	scripts := slices.Sorted(maps.Keys(p.member.manifest.Scripts))
	config, err := imageConfig(said, i.base.ConfigFile().Config.Env, newFiles(tree.Tree{Parts: parts}, i.base.Files), scripts)
	if err != nil {
		return config, err
	}
	config.Created = o.Created
	labels, err := o.labels(i.selection.Digest())
	if err != nil {
		return config, err
	}
	maps.Copy(labels, config.Labels)
	config.Labels = labels
	return config, nil
}

// baseInfo is what the image says of its base. Only a registry's reference is a name that means the same to others.
func (i *image) baseInfo() layer.BaseInfo {
	info := layer.BaseInfo{Digest: i.base.Digest}
	if i.base.Ref.IsRegistry() {
		info.Name = i.base.Ref.Unpinned().String()
	}
	return info
}
