package pack

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/pyc"
	"vpk/venv/tree"
)

// The standard library's bytecode. Distroless bases come without it, and an interpreter that compiles its own library at each
// start takes longer over that than over most services. The part has a bytecode file for each module that has none, checked
// against its source when it is imported: an image that is put on a patched base must not run what the old one said. It
// depends on the base's sources and interpreter alone, so that all images on a base share one layer.

// standardLibrary compiles the standard library of the base: the modules that compileall would find below its directory, less
// those of site-packages and those that have bytecode. There is one part, or none: where nothing is left, where the project wants
// none, and without a compiler.
func (c *compiler) standardLibrary(ctx context.Context, b *base.Image) ([]tree.Part, error) {
	if c == nil || c.options.Stdlib != nil && !*c.options.Stdlib {
		return nil, nil
	}
	sources := c.sources(b)
	if len(sources.Entries) == 0 {
		return nil, nil
	}
	result, err := c.pyc.Compile(ctx, pyc.Source{Part: sources, Mode: pyc.CheckedHash, Optimize: c.options.Optimize})
	if err != nil {
		return nil, err
	}
	for _, f := range result.Failures {
		c.reporter.Detail("no bytecode for %s: %s", f.Path, f.Reason)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Interpreter = result.Interpreter.ID()
	c.done.Stdlib = &StdlibReport{Modules: len(result.Part.Entries), Failures: len(result.Failures), Cached: result.Cached}
	if len(result.Part.Entries) == 0 {
		return nil, nil
	}
	return []tree.Part{result.Part}, nil
}

// sources are the modules to compile, where the base has them. The key names every path and content.
func (c *compiler) sources(b *base.Image) tree.Part {
	dir := strings.TrimPrefix(b.Facts.Stdlib, "/")
	tag := fmt.Sprintf("cpython-%d%d", b.Facts.Target.Python.Major, b.Facts.Target.Python.Minor)
	part := tree.Part{Name: "stdlib"}
	inputs := []string{"stdlib"}
	for _, e := range b.Files.Below(dir) {
		if !strings.HasSuffix(e.Path, ".py") || path.Base(path.Dir(e.Path)) == "__pycache__" || installed(strings.TrimPrefix(e.Path, dir+"/")) {
			continue
		}
		real, err := b.Files.Resolve(e.Path)
		if err != nil {
			continue // a link to nothing
		}
		source, _ := b.Files.Lookup(real)
		if !source.Mode.IsRegular() || !free(b.Files, pyc.Cached(e.Path, tag, c.options.Optimize)) {
			continue
		}
		part.Entries = append(part.Entries, tree.Entry{
			Path: e.Path, Kind: tree.File, Mode: tree.FileMode(source.Mode&0o111 != 0), Content: baseContent{source, c.root},
		})
		inputs = append(inputs, e.Path, source.Digest.String())
	}
	part.Key = cas.Key(inputs...)
	return part
}

// installed says whether a path in the standard library's directory is of what is installed there, not of the library.
func installed(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return first == "site-packages" || first == "dist-packages"
}

// free says whether a file of bytecode can be added: nothing is there, and its directory is one, or is not there either.
func free(files *base.Files, name string) bool {
	if _, taken := files.Lookup(name); taken {
		return false
	}
	dir, ok := files.Lookup(path.Dir(name))
	return !ok || dir.Mode.IsDir()
}

// baseContent is the content of a file of the base, as it is in the unpacked root; checked while it is read.
type baseContent struct {
	entry base.Entry
	root  func() (string, error)
}

func (c baseContent) Digest() tree.Digest { return c.entry.Digest }
func (c baseContent) Size() int64         { return c.entry.Size }

func (c baseContent) Open() (io.ReadCloser, error) {
	dir, err := c.root()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenInRoot(dir, c.entry.Path)
	if err != nil {
		return nil, fmt.Errorf("read the base's standard library: %w", err)
	}
	return layer.Verify(f, v1.Hash{Algorithm: "sha256", Hex: c.entry.Digest.String()}, c.entry.Size)
}

// beside starts a piece of work; what it returns waits for the result and must be called.
func beside[T any](work func() (T, error)) (wait func() (T, error)) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	return func() (T, error) {
		r := <-done
		return r.value, r.err
	}
}
