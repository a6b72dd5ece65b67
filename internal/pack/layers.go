package pack

import (
	"context"
	"io/fs"
	"path"

	"golang.org/x/sync/errgroup"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/venv/tree"
)

// buildLayers makes the two layers, side by side: dependencies, which change with the lock, and the project's own files.
func buildLayers(ctx context.Context, s *Sources, o Options, b *base.Image, dependencies, app []tree.Part) ([]*layer.Layer, error) {
	owner := o.Project.Config.Owner
	if owner == "" {
		owner = config.DefaultUser
	}
	uid, gid, err := config.ParseOwner(owner)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	common := layer.Spec{Owner: layer.Owner{UID: uid, GID: gid}, MTime: dependencyTime}
	if common.Directories, err = baseDirectories(b.Files); err != nil {
		return nil, err
	}
	deps, own := common, common
	deps.Name, deps.CreatedBy, deps.Parts = "dependencies", "vpk: dependencies", dependencies
	own.Name, own.CreatedBy, own.Parts = "app", "vpk: app", app
	if o.Created.After(dependencyTime) {
		own.MTime = o.Created
	}
	specs := []layer.Spec{deps, own}
	if len(app) == 0 {
		specs = specs[:1]
	}
	layers := make([]*layer.Layer, len(specs))
	g, ctx := errgroup.WithContext(ctx)
	for i, spec := range specs {
		g.Go(func() error {
			var err error
			layers[i], err = layer.Build(ctx, s.cache, spec)
			return err
		})
	}
	return layers, g.Wait()
}

// baseDirectories are those directories above the environment that the base has already, as it has them: a layer that repeats a directory
// sets its mode and owner.
func baseDirectories(files *base.Files) ([]layer.BaseDirectory, error) {
	var dirs []layer.BaseDirectory
	for p := prefix[1:]; p != "."; p = path.Dir(p) {
		e, ok := files.Lookup(p)
		if !ok {
			continue
		}
		if !e.Mode.IsDir() {
			return nil, fault.New(fault.Base, "choose another base image", "the base image has a %s at /%s, where a directory must be", e.Mode.Type(), p)
		}
		mode := int64(e.Mode.Perm())
		for bit, octal := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
			if e.Mode&bit != 0 {
				mode |= octal
			}
		}
		dirs = append(dirs, layer.BaseDirectory{Path: p, Mode: mode, Owner: layer.Owner{UID: e.UID, GID: e.GID}, MTime: e.ModTime})
	}
	return dirs, nil
}
