package pack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"vpk/internal/cas"
	"vpk/internal/trace"
	"vpk/layer"
	"vpk/venv"
	"vpk/venv/tree"
)

// environment is what lies below the project's own files: layers, and what is known of them.
type environment struct {
	layers     []*layer.Layer
	parts      []tree.Part // of the layers; none where they are recalled
	locals     []tree.Part // of projects that are installed in place, for the layer above
	programs   []tree.Entry
	packages   []Package
	bytecode   Bytecode
	collisions []venv.Collision
	foreign    []string // notes of wheels for another processor
}

// environmentKind is what is known of environments: enough to make an image without looking into wheels. Keys hold all that
// an environment follows from, and which program made it.
var environmentKind = cas.Kind{Name: "environment", Version: 2}

// environmentRecord is the form of an environment in the cache.
type environmentRecord struct {
	Layers     []layer.Facts    `json:"layers"`
	Locals     []string         `json:"locals"` // keys of the parts
	Programs   []programRecord  `json:"programs"`
	Sizes      []int64          `json:"sizes"` // of the wheels, in the selection's order
	Bytecode   Bytecode         `json:"bytecode"`
	Collisions []venv.Collision `json:"collisions"`
	Foreign    []string         `json:"foreign"`
}

// programRecord is a program of the environment, or a link: what a command may name.
type programRecord struct {
	Path   string      `json:"path"`
	Mode   fs.FileMode `json:"mode"`
	Target string      `json:"target,omitempty"` // of a link
	Head   []byte      `json:"head,omitempty"`   // the beginning of a file
}

// environmentKey is empty when something that decides is not known before wheels are read, or nobody says which program this is.
func (i *image) environmentKey(s *Sources, o Options, spec venv.Spec, compile *compiler, locals []venv.Installed) (string, error) {
	if s.program == "" {
		return "", nil
	}
	var bytecode *bytecodeOptions
	if compile != nil {
		bytecode = &compile.options
	}
	c := o.Project.Config
	said, err := json.Marshal([]any{c.Owner, c.Collisions, c.Layers, o.Compression.String(), bytecode, spec})
	if err != nil {
		return "", err
	}
	inputs := []string{"environment", s.program, i.base.Digest.String(), string(said), i.selection.Digest()}
	for _, p := range i.selection.Packages {
		if p.Wheel.Hash.IsZero() {
			return "", nil
		}
		inputs = append(inputs, p.DirectURL, fmt.Sprint(p.Rank))
	}
	for _, l := range locals {
		inputs = append(inputs, l.Part.Name, l.Part.Key, fmt.Sprint(l.Rank))
	}
	return cas.Key(inputs...), nil
}

// recall finds an environment that was made before; nil when it is not known. Its bytes are made by again when they are needed.
func (i *image) recall(s *Sources, key string, locals []venv.Installed, again func(context.Context) (*environment, error)) (*environment, error) {
	if key == "" {
		return nil, nil
	}
	data, err := s.cache.Record(environmentKind, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r environmentRecord
	if json.Unmarshal(data, &r) != nil || len(r.Sizes) != len(i.selection.Packages) {
		return nil, nil
	}
	e := &environment{bytecode: r.Bytecode, collisions: r.Collisions, foreign: r.Foreign, packages: packages(i.selection)}
	// Where wheels and projects collide, only those who know both can tell what is left.
	for n, l := range locals {
		if n >= len(r.Locals) || l.Part.Key == "" || r.Locals[n] != l.Part.Key {
			return nil, nil
		}
		e.locals = append(e.locals, l.Part)
	}
	for n := range e.packages {
		e.packages[n].Cached, e.packages[n].Size = true, r.Sizes[n]
	}
	e.bytecode.Sandbox = ""
	if e.bytecode.Stdlib != nil {
		e.bytecode.Stdlib.Cached = true
	}
	for _, p := range r.Programs {
		entry := tree.Entry{Path: p.Path, Mode: p.Mode, Content: tree.Bytes(p.Head)}
		if p.Target != "" {
			entry = tree.Entry{Path: p.Path, Kind: tree.Link, Mode: p.Mode, Target: p.Target}
		}
		e.programs = append(e.programs, entry)
	}
	for n, f := range r.Layers {
		l, err := layer.Recall(f, func(ctx context.Context) (*layer.Layer, error) {
			made, err := again(ctx)
			if err != nil || len(made.layers) != len(r.Layers) {
				return nil, errors.Join(err, errLayers)
			}
			return made.layers[n], nil
		})
		if err != nil {
			return nil, nil
		}
		e.layers = append(e.layers, l)
	}
	return e, nil
}

var errLayers = errors.New("the environment has other layers than before")

// remember writes down what recall reads.
func (e *environment) remember(s *Sources, key string) error {
	if key == "" {
		return nil
	}
	r := environmentRecord{Bytecode: e.bytecode, Collisions: e.collisions, Foreign: e.foreign}
	for _, l := range e.layers {
		r.Layers = append(r.Layers, l.Facts())
	}
	for _, p := range e.locals {
		r.Locals = append(r.Locals, p.Key)
	}
	for _, p := range e.packages {
		r.Sizes = append(r.Sizes, p.Size)
	}
	for _, p := range e.programs {
		record := programRecord{Path: p.Path, Mode: p.Mode, Target: p.Target}
		if p.Kind == tree.File {
			var err error
			if record.Head, err = head(p); err != nil {
				return err
			}
		}
		r.Programs = append(r.Programs, record)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record environment: %w", err)
	}
	return s.cache.PutRecord(environmentKind, key, data)
}

// head is the beginning of a file: as much of it as files.script reads.
func head(e tree.Entry) ([]byte, error) {
	r, err := e.Content.Open()
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", e.Path, err)
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, scriptHead))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", e.Path, err)
	}
	return data, nil
}

// programs are the links of parts, and what is in the environment's bin.
func programs(parts []tree.Part) []tree.Entry {
	var list []tree.Entry
	for _, p := range parts {
		for _, e := range p.Entries {
			if e.Kind == tree.Link || e.Kind == tree.File && path.Dir("/"+e.Path) == prefix+"/bin" {
				list = append(list, e)
			}
		}
	}
	return list
}

// environment gives what lies below the project's files, from memory if it can be, and the configuration, which names programs
// of it. What is written down of an environment is enough to find a command, but not to say why there is none.
func (i *image) environment(ctx context.Context, s *Sources, o Options, spec venv.Spec, c *compiler, own []tree.Part) (*environment, layer.Config, error) {
	locals, err := installLocals(spec, i.locals, o.Project.inImage)
	if err != nil {
		return nil, layer.Config{}, err
	}
	key, err := i.environmentKey(s, o, spec, c, locals)
	if err != nil {
		return nil, layer.Config{}, err
	}
	if !o.Deliveries.wantFiles() {
		span := trace.Start(ctx, trace.LookUp, "environment")
		known, err := i.recall(s, key, locals, once(func(ctx context.Context) (_ *environment, err error) {
			var again *compiler // the other one may be closed by then
			if c != nil {
				again = baseCompiler(ctx, s, spec, c.options, i.base, i.runner, o.Sandbox)
				defer func() { err = errors.Join(err, again.close()) }()
			}
			return i.makeEnvironment(ctx, s, o, spec, again, locals, func(*environment) error { return nil })
		}))
		span.End()
		if err != nil {
			return nil, layer.Config{}, err
		}
		if known != nil {
			s.wheels.Use(o.Project.refs(i.selection)...) // of which none is opened
			if config, err := i.config(o, c, known.commands(own)...); err == nil {
				c.recall(known.bytecode)
				known.tell(s)
				return known, config, nil
			}
		}
	}
	var config layer.Config
	made, err := i.makeEnvironment(ctx, s, o, spec, c, locals, func(e *environment) (err error) {
		e.tell(s)
		config, err = i.config(o, c, e.commands(own)...)
		return err
	})
	if err != nil {
		return nil, config, err
	}
	return made, config, made.remember(s, key)
}

// makeEnvironment fetches, compiles and joins what the selection has and, unless check has objections, makes its layers.
func (i *image) makeEnvironment(
	ctx context.Context, s *Sources, o Options, spec venv.Spec, c *compiler, locals []venv.Installed, check func(*environment) error,
) (*environment, error) {
	library := beside(func() ([]tree.Part, error) { return c.standardLibrary(ctx, i.base) })
	builder := layer.NewBuilder(s.cache)
	prepare, err := i.preparation(o, spec, builder)
	if err == nil {
		i.wheels, err = installWheels(ctx, s, o.Project, spec, i.selection, c, prepare)
	}
	stdlib, stdlibErr := library()
	if err = errors.Join(distinct([]error{err, stdlibErr})...); err != nil {
		return nil, err
	}
	span := trace.Start(ctx, trace.Join, "")
	parts, collisions, err := environmentParts(spec, i.wheels, locals, o.Project.Config)
	span.End()
	if err != nil {
		return nil, err
	}
	e := &environment{collisions: collisions, packages: i.wheels.report(i.selection), foreign: i.wheels.foreign(i.base.Facts.Target.Arch)}
	dependencies, own := apart(parts)
	e.parts, e.locals, e.programs = slices.Concat(stdlib, dependencies), own, programs(dependencies)
	if c != nil {
		e.bytecode = c.counts()
	}
	if err := check(e); err != nil {
		return nil, err
	}
	e.layers, err = i.environmentLayers(ctx, builder, o, spec, stdlib, dependencies)
	return e, err
}

// commands are parts with all that a command may name, as far as it is known.
func (e *environment) commands(own []tree.Part) []tree.Part {
	below := e.parts
	if len(below) == 0 {
		below = []tree.Part{{Name: "programs", Entries: e.programs}}
	}
	return slices.Concat(below, e.locals, own)
}

// tell notes what people should know of an environment.
func (e *environment) tell(s *Sources) {
	for _, collision := range e.collisions {
		s.reporter.Note("two packages bring %s", collision)
	}
	for _, note := range e.foreign {
		s.reporter.Note("%s", note)
	}
}

// once makes a piece of work that is done when it is first asked for, with the context of who asks.
func once[T any](work func(context.Context) (T, error)) func(context.Context) (T, error) {
	var mu sync.Mutex
	var value T
	var err error
	done := false
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			value, err = work(ctx)
			done = true
		}
		return value, err
	}
}
