package layer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/semaphore"

	"vpk/internal/fault"
	"vpk/internal/progress"
)

// Push is a push that has begun before the image is there. It finds out what the registry has, and sends layers while others are still
// made. It is the Destination of one artifact, which has the names that it began with.
//
// What the first name leads to now is asked for first: a registry has all that a manifest of its own names, so that of those blobs none
// is asked for. Should it not have one after all, it refuses the new manifest, and then all are.
type Push struct {
	options []remote.Option
	pusher  *remote.Pusher
	names   []name.Tag
	present func() present
	slots   *semaphore.Weighted
	upload  func(v1.Layer) // of the first repository, in the background
	end     func()

	mu      sync.Mutex
	uploads map[v1.Hash]*upload // to the first repository
}

// present is what a repository is known to have.
type present struct {
	digest v1.Hash // of what the name leads to
	blobs  map[v1.Hash]bool
}

// Begin begins a push. Close must be called.
func (r Registry) Begin(ctx context.Context, names []name.Tag) (*Push, error) {
	if len(names) == 0 {
		return nil, fault.New(fault.Usage, "name the image with -t REGISTRY/NAME:TAG", "push: the image has no name")
	}
	jobs := cmp.Or(r.Jobs, defaultJobs)
	options := []remote.Option{remote.WithJobs(jobs)}
	if r.Keychain != nil {
		options = append(options, remote.WithAuthFromKeychain(r.Keychain))
	}
	if r.Transport != nil {
		options = append(options, remote.WithTransport(r.Transport))
	}
	if tracing := r.tracing(ctx); tracing != nil {
		options = append(options, remote.WithTransport(tracing))
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return nil, fmt.Errorf("push image: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	p := &Push{options: options, pusher: pusher, names: names, uploads: map[v1.Hash]*upload{}, slots: semaphore.NewWeighted(int64(jobs))}
	p.present = sync.OnceValue(func() present { return p.ask(ctx) })
	running.Go(func() { p.present() })
	p.upload = func(l v1.Layer) {
		running.Go(func() {
			digest, err := l.Digest()
			if err != nil || p.present().blobs[digest] || p.slots.Acquire(ctx, 1) != nil {
				return
			}
			defer p.slots.Release(1)
			// What fails now is tried again when all is delivered, and then told.
			_ = pusher.Upload(ctx, names[0].Context(), l)
		})
	}
	p.end = func() { cancel(); running.Wait() }
	return p, nil
}

// Close ends what is still under way in the background.
func (p *Push) Close() { p.end() }

// ask finds out what the first repository has, from the manifest that the first name leads to, or from those of its index. A registry that
// does not tell is no error.
func (p *Push) ask(ctx context.Context) present {
	found := present{blobs: map[v1.Hash]bool{}}
	puller, err := remote.NewPuller(p.options...)
	if err != nil {
		return found
	}
	desc, err := puller.Get(ctx, p.names[0])
	if err != nil {
		return found
	}
	found.digest = desc.Digest
	var images []v1.Image
	switch {
	case desc.MediaType.IsIndex():
		index, err := desc.ImageIndex()
		if err != nil {
			return found
		}
		m, err := index.IndexManifest()
		if err != nil {
			return found
		}
		for _, child := range m.Manifests[:min(len(m.Manifests), maxPlatforms)] {
			if img, err := index.Image(child.Digest); err == nil && child.MediaType.IsImage() {
				images = append(images, img)
			}
		}
	case desc.MediaType.IsImage():
		if img, err := desc.Image(); err == nil {
			images = append(images, img)
		}
	}
	for _, img := range images {
		m, err := img.Manifest()
		if err != nil {
			continue
		}
		found.blobs[m.Config.Digest] = true
		for _, l := range m.Layers {
			found.blobs[l.Digest] = true
		}
	}
	return found
}

// maxPlatforms is how many images of an index are asked for what they have.
const maxPlatforms = 8

// Offer sends a layer of the image in the background, if the registry does not have it. A layer that only others can make, which
// Recall gave, waits for the delivery.
func (p *Push) Offer(ctx context.Context, layers ...v1.Layer) {
	for _, l := range layers {
		if own, ok := l.(*Layer); ok && own.again != nil {
			continue
		}
		m, err := l.MediaType()
		if err != nil || !m.IsDistributable() {
			continue
		}
		digest, err := l.Digest()
		if err != nil {
			continue
		}
		size, err := l.Size()
		if err != nil {
			continue
		}
		b := blob{desc: v1.Descriptor{MediaType: m, Digest: digest, Size: size}, layer: unmounted(l)}
		p.upload(mountable(p.of(ctx, b), l, p.names[0]))
	}
}

// of gives the upload of a blob to the first repository: always the same.
func (p *Push) of(ctx context.Context, b blob) *upload {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.uploads[b.desc.Digest]
	if !ok {
		u = newUpload(ctx, b)
		p.uploads[b.desc.Digest] = u
	}
	return u
}

// Deliver implements Destination.
func (p *Push) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	parts, err := a.pieces()
	if err != nil {
		return Delivered{}, fmt.Errorf("push image: %w", err)
	}
	for _, d := range parts.layers {
		if !d.MediaType.IsDistributable() {
			report.Note("layer %s of the base image may not be distributed and is not pushed", d.Digest)
		}
	}
	res := Delivered{Target: p.names[0].Context().Digest(parts.manifest.Digest.String()).Name(), Digest: parts.manifest.Digest}
	for n, tag := range p.names {
		if err := p.push(ctx, n, a, parts, report, &res); err != nil {
			return Delivered{}, pushFault(ctx, tag, err)
		}
	}
	return res, nil
}

// push pushes to one name and adds up what was sent.
func (p *Push) push(ctx context.Context, n int, a Artifact, parts pieces, report progress.Reporter, res *Delivered) error {
	tag := p.names[n]
	task := report.Task("push "+tag.String(), parts.size)
	defer task.Done()
	first := tag.Context() == p.names[0].Context()
	uploads := map[v1.Hash]*upload{}
	for _, b := range parts.blobs {
		u := newUpload(ctx, b)
		if first {
			u = p.of(ctx, b)
		}
		u.attach(task)
		uploads[b.desc.Digest] = u
	}
	defer func() {
		for _, u := range uploads {
			u.attach(nil)
		}
	}()
	var known present
	if first {
		known = p.present()
	}
	if n > 0 || known.digest != parts.manifest.Digest {
		err := p.write(ctx, tag, a, uploads, known.blobs)
		if err != nil && len(known.blobs) > 0 && isUnknownBlob(err) {
			report.Detail("push %q: the registry lacks layers of an image that it has; all are asked for: %v", tag, err)
			err = p.write(ctx, tag, a, uploads, nil)
		}
		if err != nil {
			return err
		}
	}
	for _, b := range parts.blobs {
		switch u := uploads[b.desc.Digest]; {
		case b.desc.MediaType.IsImage() || b.desc.MediaType.IsIndex(): // no blob to a registry
		case u.takeOpened():
			res.Sent.add(b.desc.Size)
		default:
			res.Skipped.add(b.desc.Size)
			task.Add(b.desc.Size)
		}
	}
	return nil
}

// write pushes the image or index, of which some blobs need not be asked for.
func (p *Push) write(ctx context.Context, tag name.Tag, a Artifact, uploads map[v1.Hash]*upload, known map[v1.Hash]bool) error {
	if a.Index == nil {
		img, err := watch(a.Image, uploads, tag, known)
		if err != nil {
			return err
		}
		return p.pusher.Push(ctx, tag, img)
	}
	watched := watchedIndex{Index: a.Index, images: map[v1.Hash]v1.Image{}}
	for _, img := range a.Index.images {
		digest, err := img.Digest()
		if err != nil {
			return err
		}
		if watched.images[digest], err = watch(img, uploads, tag, known); err != nil {
			return err
		}
	}
	return p.pusher.Push(ctx, tag, watched)
}

// isUnknownBlob reports whether a registry refused a manifest for want of a blob.
func isUnknownBlob(err error) bool {
	var te *transport.Error
	if !errors.As(err, &te) {
		return false
	}
	return te.StatusCode == http.StatusNotFound || slices.ContainsFunc(te.Errors, func(d transport.Diagnostic) bool {
		return d.Code == transport.ManifestBlobUnknownErrorCode || d.Code == transport.BlobUnknownErrorCode || d.Code == transport.ManifestInvalidErrorCode
	})
}

// upload is a blob that notes whether, and how far, it is read.
type upload struct {
	v1.Layer
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error)

	mu     sync.Mutex
	task   progress.Task // hears of what is read; nil for the time being
	opened bool
	read   int64 // in the present attempt
}

func newUpload(ctx context.Context, b blob) *upload {
	return &upload{Layer: b.layer, digest: b.desc.Digest, size: b.desc.Size, open: func() (io.ReadCloser, error) { return b.open(ctx) }}
}

// attach tells a task of what was read, and will be; nil: nobody.
func (u *upload) attach(task progress.Task) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.task = task; task != nil && u.read != 0 {
		task.Add(u.read)
	}
}

func (u *upload) add(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read += n
	if u.task != nil {
		u.task.Add(n)
	}
}

// takeOpened reports whether the blob was opened since it was last asked.
func (u *upload) takeOpened() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	was := u.opened
	u.opened, u.read = false, 0
	return was
}

// Compressed implements v1.Layer. Each call is a new attempt.
func (u *upload) Compressed() (io.ReadCloser, error) {
	rc, err := u.open()
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.task != nil {
		u.task.Add(-u.read)
	}
	u.opened, u.read = true, 0
	return &uploadReader{rc, u}, nil
}

type uploadReader struct {
	io.ReadCloser
	upload *upload
}

func (r *uploadReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.upload.add(int64(n))
	return n, err
}
