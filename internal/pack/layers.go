package pack

import (
	"context"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/venv"
	"vpk/venv/tree"
)

// buildLayers makes the layers, side by side, lowest first: the bytecode of the base's standard library, which is of every image
// on that base; dependencies, which change with the lock; and the project's own files.
func buildLayers(ctx context.Context, s *Sources, o Options, b *base.Image, spec venv.Spec, stdlib, dependencies, app []tree.Part) ([]*layer.Layer, error) {
	owner := o.Project.Config.Owner
	if owner == "" {
		owner = config.DefaultUser
	}
	uid, gid, err := config.ParseOwner(owner)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	common := layer.Spec{Owner: layer.Owner{UID: uid, GID: gid}, MTime: dependencyTime, Compression: o.Compression}
	if common.Directories, err = baseDirectories(b.Files, prefix[1:]); err != nil {
		return nil, err
	}
	deps, own := common, common
	deps.Shared = []string{prefix[1:] + "/bin", spec.SitePackages()}
	deps.Name, deps.CreatedBy, deps.Parts = "dependencies", "vpk: dependencies", dependencies
	own.Name, own.CreatedBy, own.Parts = "app", "vpk: app", app
	if o.Created.After(dependencyTime) {
		own.MTime = o.Created
	}
	specs := []layer.Spec{deps, own}
	if len(app) == 0 {
		specs = specs[:1]
	}
	if len(stdlib) > 0 {
		library, err := libraryLayer(b.Files, stdlib)
		if err != nil {
			return nil, err
		}
		library.Compression = o.Compression
		specs = slices.Insert(specs, 0, library)
	}
	layers := make([]*layer.Layer, len(specs))
	builder := layer.NewBuilder(s.cache)
	g, ctx := errgroup.WithContext(ctx)
	for i, spec := range specs {
		g.Go(func() error {
			var err error
			layers[i], err = builder.Build(ctx, spec)
			return err
		})
	}
	return layers, g.Wait()
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
