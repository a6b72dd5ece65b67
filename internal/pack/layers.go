package pack

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/pyc"
	"vpk/venv"
	"vpk/venv/tree"
)

// environmentLayers makes what lies below the project's own files, side by side, lowest first: the bytecode of the base's standard
// library, which is of every image on that base, and dependencies, which change with the lock, in layers as the project says.
func (i *image) environmentLayers(ctx context.Context, builder *layer.Builder, o Options, spec venv.Spec, stdlib, dependencies []tree.Part) ([]*layer.Layer, error) {
	common, err := i.commonSpec(o)
	if err != nil {
		return nil, err
	}
	var specs []layer.Spec
	if len(stdlib) > 0 {
		library, err := libraryLayer(i.base.Files, stdlib)
		if err != nil {
			return nil, err
		}
		library.Compression = o.Compression
		specs = append(specs, library)
	}
	room := min(layer.MaxOwnLayers, layer.MaxLayers-len(i.base.ConfigFile().RootFS.DiffIDs)) - len(specs) - 1
	bundles, err := assignment(o.Project.Config.Layers, room).Assign(i.units(dependencies))
	if err != nil {
		return nil, err
	}
	for _, b := range bundles {
		specs = append(specs, dependencyLayer(common, spec, b))
	}
	layers := make([]*layer.Layer, len(specs))
	g, ctx := errgroup.WithContext(ctx)
	for n, spec := range specs {
		g.Go(func() error {
			var err error
			if layers[n], err = builder.Build(ctx, spec); err == nil {
				o.offerOwn(layers[n])
			}
			return err
		})
	}
	return layers, g.Wait()
}

// preparation compresses what will be of a wheel in some layer. A wheel that will have a layer of its own gets it, and the layer is offered: it is
// what it will be, unless another package turns out to claim one of its files.
func (i *image) preparation(o Options, spec venv.Spec, builder *layer.Builder) (preparation, error) {
	common, err := i.commonSpec(o)
	layers := assignment(o.Project.Config.Layers, layer.MaxOwnLayers)
	return func(ctx context.Context, w venv.Installed, size int64) error {
		if w.Sourceless {
			return nil // its files are others in the end
		}
		u := layer.Unit{Name: w.Name, Title: w.String(), Size: size, Parts: []tree.Part{w.Part}}
		if len(w.Bytecode.Entries) > 0 {
			u.Parts = append(u.Parts, w.Bytecode)
		}
		own := dependencyLayer(common, spec, layer.Bundle{Name: u.Title, Units: []layer.Unit{u}})
		if !layers.IsAlone(u) {
			return builder.Prepare(ctx, own)
		}
		l, err := builder.Build(ctx, own)
		if err == nil {
			o.offerOwn(l)
		}
		return err
	}, err
}

// appLayer makes the layer of the project's own files; none when there is nothing.
func (i *image) appLayer(ctx context.Context, s *Sources, o Options, app []tree.Part) ([]*layer.Layer, error) {
	if len(app) == 0 {
		return nil, nil
	}
	own, err := i.commonSpec(o)
	if err != nil {
		return nil, err
	}
	own.Name, own.CreatedBy, own.Parts = "app", "vpk: app", app
	if o.Created.After(dependencyTime) {
		own.MTime = o.Created
	}
	l, err := layer.Build(ctx, s.cache, own)
	if err == nil {
		o.offerOwn(l)
	}
	return []*layer.Layer{l}, err
}

// commonSpec is what the layers of dependencies and of the project have in common.
func (i *image) commonSpec(o Options) (layer.Spec, error) {
	owner := o.Project.Config.Owner
	if owner == "" {
		owner = config.DefaultUser
	}
	uid, gid, err := config.ParseOwner(owner)
	if err != nil {
		return layer.Spec{}, fault.Wrap(fault.Usage, "", err)
	}
	directories, err := baseDirectories(i.base.Files, prefix[1:])
	return layer.Spec{
		Owner: layer.Owner{UID: uid, GID: gid}, MTime: dependencyTime, Compression: o.Compression, Directories: directories,
	}, err
}

// assignment is what the project says of layers. However full the base is, there is room for one: layer.Image tells
// if that is too many.
func assignment(c config.Layers, room int) layer.Assignment {
	a := layer.Assignment{Mode: layer.Mode(c.Mode), Limit: max(1, room)}
	for _, g := range c.Groups {
		a.Groups = append(a.Groups, layer.Group{Name: g.Name, Match: g.Match})
	}
	return a
}

// units are what is assigned to layers: the environment's skeleton, and each package with its bytecode.
func (i *image) units(parts []tree.Part) []layer.Unit {
	packages := map[string]int{}
	for n, installed := range i.wheels.installed {
		packages[installed.Part.Name] = n
	}
	var units []layer.Unit
	for _, p := range parts {
		if of, ok := strings.CutSuffix(p.Name, pyc.PartSuffix); ok && len(units) > 0 && units[len(units)-1].Parts[0].Name == of {
			last := &units[len(units)-1]
			last.Parts = append(last.Parts, p)
			continue
		}
		u := layer.Unit{Name: p.Name, Title: "environment", Parts: []tree.Part{p}}
		if n, ok := packages[p.Name]; ok {
			u.Name, u.Title, u.Size = i.wheels.installed[n].Name, i.wheels.installed[n].String(), i.wheels.archives[n].Size
		}
		units = append(units, u)
	}
	return units
}

// dependencyLayer is the layer of a bundle. Its line of the history names all that is in it.
func dependencyLayer(common layer.Spec, spec venv.Spec, b layer.Bundle) layer.Spec {
	common.Name = b.Name
	common.Shared = []string{prefix[1:] + "/bin", spec.SitePackages()}
	titles := make([]string, len(b.Units))
	for n, u := range b.Units {
		titles[n] = u.Title
		common.Parts = append(common.Parts, u.Parts...)
	}
	common.CreatedBy = "vpk: " + b.Name
	if list := strings.Join(titles, ", "); list != b.Name {
		common.CreatedBy += ": " + list
	}
	return common
}

// libraryLayer is the layer of the standard library's bytecode. Nothing in it is the project's: the owner is the base's own.
func libraryLayer(files *base.Files, stdlib []tree.Part) (layer.Spec, error) {
	var dirs []string
	for _, p := range stdlib {
		for _, e := range p.Entries {
			dirs = append(dirs, path.Dir(e.Path))
		}
	}
	directories, err := baseDirectories(files, dirs...)
	return layer.Spec{
		Name: "stdlib", CreatedBy: "vpk: bytecode of the standard library", Parts: stdlib, MTime: dependencyTime, Directories: directories,
	}, err
}

// baseDirectories are those of the paths, and of the directories above them, that the base has already, as it has them: a layer that
// repeats a directory sets its mode and owner.
func baseDirectories(files *base.Files, paths ...string) ([]layer.BaseDirectory, error) {
	var dirs []layer.BaseDirectory
	seen := map[string]bool{".": true}
	for _, p := range paths {
		for ; !seen[p]; p = path.Dir(p) {
			seen[p] = true
			e, ok := files.Lookup(p)
			if !ok {
				continue
			}
			dir, err := baseDirectory(e)
			if err != nil {
				return nil, err
			}
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func baseDirectory(e base.Entry) (layer.BaseDirectory, error) {
	if !e.Mode.IsDir() {
		return layer.BaseDirectory{}, fault.New(fault.Base, "choose another base image", "the base image has a %s at /%s, where a directory must be", e.Mode.Type(), e.Path)
	}
	mode := int64(e.Mode.Perm())
	for bit, octal := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.Mode&bit != 0 {
			mode |= octal
		}
	}
	return layer.BaseDirectory{Path: e.Path, Mode: mode, Owner: layer.Owner{UID: e.UID, GID: e.GID}, MTime: e.ModTime}, nil
}
