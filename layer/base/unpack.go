package base

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/trace"
)

// UnpackImage writes the squashed files of any image into an empty directory, by the rules of the package comment.
// On an error it leaves what it has written.
func UnpackImage(ctx context.Context, img v1.Image, dir string) error {
	archives, err := OpenArchives(img)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	files, err := archives.Squash(ctx)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	if err := unpack(ctx, files, archives.layers, defaultJobs, dir); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

// imageLayers are the layers of an image, each held to its descriptor.
func imageLayers(img v1.Image) ([]layerSource, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	if len(layers) != len(manifest.Layers) || len(layers) != len(config.RootFS.DiffIDs) {
		return nil, broken("it has %d layers, %d in its manifest, %d in its config", len(layers), len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	sources := make([]layerSource, len(layers))
	for i, l := range layers {
		sources[i] = layerSource{diffID: config.RootFS.DiffIDs[i], open: func(context.Context) (io.ReadCloser, error) {
			blob, err := l.Compressed()
			if err != nil {
				return nil, err
			}
			return verify(blob, manifest.Layers[i]), nil
		}}
	}
	return sources, nil
}

// unpack writes what an index says into an empty directory. The order makes it safe: no symbolic link is there while
// anything else is written, and each path is written once.
func unpack(ctx context.Context, files *Files, layers []layerSource, jobs int, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	span := trace.Start(ctx, trace.UnpackBase, "directories")
	defer func() { span.End() }()
	for _, e := range files.entries {
		if e.Mode.IsDir() && e.Path != "." {
			if err := root.Mkdir(e.Path, 0o700); err != nil {
				return err
			}
		}
	}
	span.End()
	if err := unpackFiles(ctx, root, files, layers, jobs); err != nil {
		return err
	}
	span = trace.Start(ctx, trace.UnpackBase, "links and directories")
	for _, e := range files.entries {
		if e.HardLink != "" {
			if err := root.Link(e.HardLink, e.Path); err != nil {
				return err
			}
		}
	}
	for _, e := range files.entries {
		if e.Mode&fs.ModeSymlink != 0 {
			if err := root.Symlink(e.Link, e.Path); err != nil {
				return err
			}
		}
	}
	// Last and deepest first, since making an entry changes its directory's time.
	for _, e := range slices.Backward(files.entries) {
		if e.Mode.IsDir() {
			if err := finish(root, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpackFiles writes the regular files, each from the layer that it is in. Layers of which nothing is left are not read.
func unpackFiles(ctx context.Context, root *os.Root, files *Files, layers []layerSource, jobs int) error {
	wanted := make([]map[int]Entry, len(layers)) // by ordinal
	for _, e := range files.entries {
		if !e.Mode.IsRegular() || e.HardLink != "" {
			continue
		}
		if e.place.layer >= len(layers) {
			return fmt.Errorf("%q is in layer %d of %d", e.Path, e.place.layer+1, len(layers))
		}
		if wanted[e.place.layer] == nil {
			wanted[e.place.layer] = map[int]Entry{}
		}
		wanted[e.place.layer][e.place.ordinal] = e
	}
	b := newBudget()
	return eachLayer(ctx, layers, jobs, func(ctx context.Context, i int) error {
		if len(wanted[i]) == 0 {
			return nil
		}
		written := 0
		at := &shelf{root: root}
		defer at.close()
		err := layers[i].read(ctx, trace.UnpackBase, b, func(ordinal int, _ *tar.Header, content io.Reader) error {
			e, ok := wanted[i][ordinal]
			if !ok {
				return nil
			}
			written++
			return writeFile(at, e, content)
		})
		if err == nil && written != len(wanted[i]) {
			err = fmt.Errorf("it has %d of the %d files that the index says", written, len(wanted[i]))
		}
		return err
	})
}

// writeFile writes a regular file where there is none.
func writeFile(at *shelf, e Entry, content io.Reader) error {
	dir, name, err := at.at(e.Path)
	if err != nil {
		return err
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, content)
	if err == nil {
		err = f.Chmod(unpackedMode(e.Mode))
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil && n != e.Size {
		err = fmt.Errorf("it has %d bytes, the index says %d", n, e.Size)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", e.Path, err)
	}
	return dir.Chtimes(name, e.ModTime, e.ModTime)
}

// finish gives a directory its mode and time.
func finish(root *os.Root, e Entry) error {
	if err := root.Chmod(e.Path, unpackedMode(e.Mode)); err != nil {
		return err
	}
	return root.Chtimes(e.Path, e.ModTime, e.ModTime)
}

// unpackedMode is the permission bits of an unpacked file or directory.
func unpackedMode(mode fs.FileMode) fs.FileMode {
	perm := mode.Perm() &^ 0o022
	if mode.IsDir() {
		return perm | 0o700
	}
	return perm | 0o400
}
