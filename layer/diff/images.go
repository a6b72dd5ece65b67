package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"vpk/layer/base"
)

// Images compares two images; the names are for the report. Errors are those of reading the images.
func Images(ctx context.Context, nameA string, a v1.Image, nameB string, b v1.Image) (*Report, error) {
	left, err := open(nameA, a)
	if err != nil {
		return nil, err
	}
	right, err := open(nameB, b)
	if err != nil {
		return nil, err
	}
	r := &Report{A: left.report(), B: right.report(), Manifest: []Field{}, Config: []Field{}, Layers: []Layer{}, Files: []Change{}}
	if bytes.Equal(left.rawManifest, right.rawManifest) {
		r.Equal = true
		return r, nil
	}
	r.Manifest, err = compareDocuments(left.rawManifest, right.rawManifest, func(m map[string]any) {
		delete(m, "layers")
		delete(object(m["config"]), "digest")
		delete(object(m["config"]), "size")
	})
	if err != nil {
		return nil, fmt.Errorf("compare manifests: %w", err)
	}
	r.Config, err = compareDocuments(left.rawConfig, right.rawConfig, func(m map[string]any) {
		delete(object(m["rootfs"]), "diff_ids")
	})
	if err != nil {
		return nil, fmt.Errorf("compare configs: %w", err)
	}
	if r.Layers, err = compareLayers(ctx, left, right); err != nil {
		return nil, err
	}
	r.Files, err = compareTrees(ctx, left, right)
	return r, err
}

// side is one of the two images.
type side struct {
	name                   string
	digest                 v1.Hash
	rawManifest, rawConfig []byte
	manifest               *v1.Manifest
	config                 *v1.ConfigFile
	layers                 []v1.Layer
	archives               base.Archives
	createdBy              []string // of each layer, empty where the history does not say
}

func open(name string, img v1.Image) (*side, error) {
	s := &side{name: name}
	var errs [6]error
	s.digest, errs[0] = img.Digest()
	s.rawManifest, errs[1] = img.RawManifest()
	s.rawConfig, errs[2] = img.RawConfigFile()
	s.manifest, errs[3] = img.Manifest()
	s.config, errs[4] = img.ConfigFile()
	s.layers, errs[5] = img.Layers()
	err := errors.Join(errs[:]...)
	if err == nil {
		s.archives, err = base.OpenArchives(img)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s.createdBy = make([]string, len(s.layers))
	var lines []string
	for _, h := range s.config.History {
		if !h.EmptyLayer {
			lines = append(lines, h.CreatedBy)
		}
	}
	if len(lines) == len(s.layers) {
		copy(s.createdBy, lines)
	}
	return s, nil
}

func (s *side) report() Image {
	platform := ""
	if p := s.config.Platform(); p != nil {
		platform = p.String()
	}
	return Image{Name: s.name, Digest: s.digest.String(), Platform: platform, Layers: len(s.layers)}
}

func (s *side) layer(n int) *LayerSide {
	d := s.manifest.Layers[n]
	return &LayerSide{Number: n + 1, Digest: d.Digest.String(), DiffID: s.config.RootFS.DiffIDs[n].String(), Size: d.Size, CreatedBy: s.createdBy[n]}
}

// compareLayers compares the lists of layers, and the layers that are paired.
func compareLayers(ctx context.Context, a, b *side) ([]Layer, error) {
	pairs := align(len(a.layers), len(b.layers),
		func(i, j int) bool { return a.config.RootFS.DiffIDs[i] == b.config.RootFS.DiffIDs[j] },
		func(i, j int) bool { return a.createdBy[i] != "" && a.createdBy[i] == b.createdBy[j] },
	)
	found := []Layer{}
	for _, p := range pairs {
		l := Layer{Fields: []Field{}, Entries: []Change{}}
		switch {
		case p.b < 0:
			l.Kind, l.A = Removed, a.layer(p.a)
		case p.a < 0:
			l.Kind, l.B = Added, b.layer(p.b)
		default:
			l.Kind, l.A, l.B = Changed, a.layer(p.a), b.layer(p.b)
			if err := l.compare(ctx, a, b, p); err != nil {
				return nil, fmt.Errorf("compare layer %d of %s with layer %d of %s: %w", p.a+1, a.name, p.b+1, b.name, err)
			}
			if l.A.Digest == l.B.Digest && l.A.DiffID == l.B.DiffID && len(l.Fields) == 0 {
				continue
			}
		}
		found = append(found, l)
	}
	return found, nil
}

// compare fills in what differs between the two layers of a pair.
func (l *Layer) compare(ctx context.Context, a, b *side, p pair) (err error) {
	if l.Fields, err = compareDescriptors(a.manifest.Layers[p.a], b.manifest.Layers[p.b]); err != nil {
		return err
	}
	if l.A.DiffID == l.B.DiffID {
		if l.A.Digest != l.B.Digest {
			l.Bytes, err = compareBytes(ctx, "blob", a.layers[p.a].Compressed, b.layers[p.b].Compressed)
		}
		return err
	}
	seed := maphash.MakeSeed()
	var x, y *archive
	err = both(ctx,
		func(ctx context.Context) (err error) { x, err = scan(ctx, a.archives, p.a, seed); return err },
		func(ctx context.Context) (err error) { y, err = scan(ctx, b.archives, p.b, seed); return err },
	)
	if err != nil {
		return err
	}
	var windows []window
	l.Entries, l.Order, windows = compareArchives(x, y)
	if len(l.Entries) == 0 && l.Order == nil {
		l.Bytes, err = compareBytes(ctx, "archive", a.layers[p.a].Uncompressed, b.layers[p.b].Uncompressed)
		return err
	}
	if len(windows) == 0 {
		return nil
	}
	var seenA, seenB []seen
	err = both(ctx,
		func(ctx context.Context) (err error) {
			seenA, err = look(ctx, a.archives, p.a, windows, func(p pair) int { return p.a })
			return err
		},
		func(ctx context.Context) (err error) {
			seenB, err = look(ctx, b.archives, p.b, windows, func(p pair) int { return p.b })
			return err
		},
	)
	if err != nil {
		return err
	}
	for i, w := range windows {
		change := &l.Entries[w.change]
		change.Content = excerpt(change.Path, w.from, seenA[i], seenB[i])
	}
	return nil
}

// both runs two functions side by side.
func both(ctx context.Context, f, g func(ctx context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f(ctx) })
	group.Go(func() error { return g(ctx) })
	return group.Wait()
}

// compareDescriptors compares the descriptors of two layers, but for digest and size.
func compareDescriptors(a, b v1.Descriptor) ([]Field, error) {
	plain := func(d v1.Descriptor) (any, error) {
		d.Digest, d.Size = v1.Hash{}, 0
		return document(encode(d))
	}
	x, err := plain(a)
	if err != nil {
		return nil, err
	}
	y, err := plain(b)
	if err != nil {
		return nil, err
	}
	return fields(x, y), nil
}

// compareBytes finds where two streams part.
func compareBytes(ctx context.Context, of string, a, b func() (io.ReadCloser, error)) (_ *Bytes, err error) {
	left, err := a()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, left.Close()) }()
	right, err := b()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, right.Close()) }()
	offset, err := part(ctx, left, right)
	return &Bytes{Of: of, Offset: offset}, err
}

// compareTrees compares the squashed files.
func compareTrees(ctx context.Context, a, b *side) ([]Change, error) {
	same := len(a.layers) == len(b.layers)
	for i := 0; same && i < len(a.layers); i++ {
		same = a.config.RootFS.DiffIDs[i] == b.config.RootFS.DiffIDs[i]
	}
	if same {
		return []Change{}, nil
	}
	var x, y *base.Files
	// One after the other: each reads several layers at a time by itself.
	var err error
	if x, err = a.archives.Squash(ctx); err != nil {
		return nil, fmt.Errorf("read %s: %w", a.name, err)
	}
	if y, err = b.archives.Squash(ctx); err != nil {
		return nil, fmt.Errorf("read %s: %w", b.name, err)
	}
	return compareFiles(x, y), nil
}

// digest is the SHA-256 of bytes as the OCI writes it.
func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }
