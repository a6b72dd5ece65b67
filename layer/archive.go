package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/internal/progress"
)

// OCIArchive is a file with an OCI image layout in a tar.
type OCIArchive struct{ File string }

// DockerArchive is a file with a tar that is an OCI image layout and a Docker archive in one.
type DockerArchive struct{ File string }

// Deliver implements Destination.
func (d OCIArchive) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	return archiveFile(ctx, a, d.File, false, report)
}

// Deliver implements Destination.
func (d DockerArchive) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	return archiveFile(ctx, a, d.File, true, report)
}

func archiveFile(ctx context.Context, a Artifact, file string, docker bool, report progress.Reporter) (Delivered, error) {
	form, what := FormOCIArchive, "write OCI archive"
	if docker {
		form, what = FormDockerArchive, "write Docker archive"
	}
	if docker && a.Index != nil {
		return Delivered{}, fault.New(fault.Usage, "write -o oci-archive:FILE, or pack one platform", "%s: it holds one platform, not several", what)
	}
	p, err := a.pieces()
	if err != nil {
		return Delivered{}, failed(ctx, what, file, err)
	}
	res := p.result(string(form) + ":" + file)
	task := report.Task("write "+res.Target, p.size)
	defer task.Done()
	if err := WriteFile(ctx, file, func(w io.Writer) error { return writeArchive(ctx, w, p, a.Names, docker, task) }); err != nil {
		return Delivered{}, failed(ctx, what, file, err)
	}
	return res, nil
}

// result is the result where all pieces are copied.
func (p pieces) result(target string) Delivered {
	return Delivered{Target: target, Digest: p.manifest.Digest, Sent: Amount{Blobs: len(p.blobs), Bytes: p.size}}
}

// writeArchive writes the tar: what names the image first, then the blobs.
func writeArchive(ctx context.Context, w io.Writer, p pieces, names []name.Tag, docker bool, task progress.Task) error {
	index, err := newIndex(p.entries(names, docker)...)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, copyBuffer)
	tw := tar.NewWriter(buffered)
	small := func(name string, data []byte) error {
		if err := header(tw, name, int64(len(data))); err != nil {
			return err
		}
		_, err := tw.Write(data)
		return err
	}
	if err := small(layoutFile, []byte(layoutVersion)); err != nil {
		return err
	}
	if err := small(indexFile, index); err != nil {
		return err
	}
	if docker {
		manifest, err := p.dockerManifest(names)
		if err != nil {
			return err
		}
		if err := small("manifest.json", manifest); err != nil {
			return err
		}
	}
	// skopeo 1.9, unprivileged, fails to unpack blobs whose directories the archive does not have.
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
	}
	for _, b := range p.blobs {
		if err := header(tw, archivePath(b.desc.Digest), b.desc.Size); err != nil {
			return err
		}
		if err := b.copyTo(ctx, tw, task); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// header starts a member. archive/tar writes USTAR as long as that holds the size, and PAX beyond.
func header(tw *tar.Writer, name string, size int64) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)}
	if size > 1<<33-1 {
		h.Format = tar.FormatPAX
	}
	return tw.WriteHeader(h)
}

func archivePath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// entries are the manifest's entries in the index, one a name. Engines want full names; a plain layout wants tags.
func (p pieces) entries(names []name.Tag, docker bool) []v1.Descriptor {
	var all []v1.Descriptor
	add := func(annotations map[string]string) {
		m := p.manifest
		m.Annotations = annotations
		all = append(all, m)
	}
	seen := map[string]bool{}
	for _, n := range names {
		switch {
		case docker && !seen[canonical(n)]:
			seen[canonical(n)] = true
			add(map[string]string{containerdName: canonical(n), refName: n.TagStr()})
		case !docker && !seen[n.TagStr()]:
			seen[n.TagStr()] = true
			add(map[string]string{refName: n.TagStr()})
		}
	}
	switch {
	case len(all) > 0:
	case docker:
		add(nil)
	default:
		add(map[string]string{refName: name.DefaultTag})
	}
	return all
}

// dockerManifest is the manifest.json of a Docker archive, whose paths point to the layout's blobs.
func (p pieces) dockerManifest(names []name.Tag) ([]byte, error) {
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	e := entry{Config: archivePath(p.config.Digest), Layers: []string{}}
	seen := map[string]bool{}
	for _, n := range names {
		if c := canonical(n); !seen[c] {
			seen[c] = true
			e.RepoTags = append(e.RepoTags, c)
		}
	}
	for _, l := range p.layers {
		e.Layers = append(e.Layers, archivePath(l.Digest))
	}
	data, err := json.Marshal([]entry{e})
	if err != nil {
		return nil, fmt.Errorf("write manifest.json: %w", err)
	}
	return data, nil
}
