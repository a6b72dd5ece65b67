package layer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
)

// blob is one content-addressed piece of an image: bytes, or a layer.
type blob struct {
	desc  v1.Descriptor
	data  []byte
	layer v1.Layer // nil: data
}

// pieces is an image, or an index of images, taken apart.
type pieces struct {
	manifest v1.Descriptor   // of an image with its platform
	config   v1.Descriptor   // of an image
	layers   []v1.Descriptor // of an image in order, of an index one image's after another's; a digest may come twice
	blobs    []blob          // everything to copy, each digest once: layers, config, manifest; the index last
	size     int64           // of blobs
}

// pieces takes apart what is to be delivered.
func (a Artifact) pieces() (pieces, error) {
	if a.Index == nil {
		return takeApart(a.Image)
	}
	all := pieces{manifest: a.Index.desc}
	for _, img := range a.Index.images {
		p, err := takeApart(img)
		if err != nil {
			return pieces{}, err
		}
		all.layers = append(all.layers, p.layers...)
		for _, b := range p.blobs {
			all.add(b)
		}
	}
	all.add(blob{desc: all.manifest, data: a.Index.raw})
	return all, nil
}

// add adds a blob, once.
func (p *pieces) add(b blob) {
	if !slices.ContainsFunc(p.blobs, func(have blob) bool { return have.desc.Digest == b.desc.Digest }) {
		p.blobs = append(p.blobs, b)
		p.size += b.desc.Size
	}
}

func takeApart(img v1.Image) (pieces, error) {
	m, err := img.Manifest()
	if err != nil {
		return pieces{}, fmt.Errorf("read image manifest: %w", err)
	}
	raw, err := img.RawManifest()
	if err != nil {
		return pieces{}, fmt.Errorf("read image manifest: %w", err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return pieces{}, fmt.Errorf("read image config: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return pieces{}, fmt.Errorf("read image config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return pieces{}, fmt.Errorf("read image layers: %w", err)
	}
	if len(layers) != len(m.Layers) {
		return pieces{}, fmt.Errorf("image has %d layers, and its manifest lists %d", len(layers), len(m.Layers))
	}
	p := pieces{config: m.Config, layers: m.Layers}
	p.manifest.MediaType = m.MediaType
	if p.manifest.Digest, p.manifest.Size, err = v1.SHA256(bytes.NewReader(raw)); err != nil {
		return pieces{}, fmt.Errorf("hash image manifest: %w", err)
	}
	p.manifest.Platform = file.Platform()

	for i, l := range layers {
		p.add(blob{desc: m.Layers[i], layer: unmounted(l)})
	}
	p.add(blob{desc: m.Config, data: config})
	p.add(blob{desc: p.manifest, data: raw})
	return p, nil
}

// open gives the blob's bytes, which are checked while they are read.
func (b blob) open(ctx context.Context) (io.ReadCloser, error) {
	switch l := b.layer.(type) {
	case nil:
		return Verify(io.NopCloser(bytes.NewReader(b.data)), b.desc.Digest, b.desc.Size)
	case *Layer:
		return l.Open(ctx)
	}
	rc, err := b.layer.Compressed()
	if err != nil {
		return nil, b.baseFault(err)
	}
	checked, err := Verify(rc, b.desc.Digest, b.desc.Size)
	if err != nil {
		return nil, err
	}
	return baseReader{checked, b}, nil
}

// baseFault says that an error comes from where the base is, not from where the image goes.
func (b blob) baseFault(err error) error {
	return fault.Wrap(fault.Base, "", fmt.Errorf("read layer %s of the base image: %w", b.desc.Digest, err))
}

// baseReader reads a layer of the base.
type baseReader struct {
	io.ReadCloser
	blob blob
}

func (r baseReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = r.blob.baseFault(err)
	}
	return n, err
}

// copyTo copies the blob's bytes. When it returns nil they were the right ones.
func (b blob) copyTo(ctx context.Context, w io.Writer, task progress.Task) (err error) {
	rc, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := rc.Close(); err == nil {
			err = cerr
		}
	}()
	span := trace.Start(ctx, trace.Write, b.desc.Digest.String())
	defer span.End()
	buf := make([]byte, min(b.desc.Size+1, copyBuffer))
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, rerr := rc.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		task.Add(int64(n))
		span.Bytes(int64(n))
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}
