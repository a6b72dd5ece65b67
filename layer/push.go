package layer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

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
// A registry has all that a manifest of its own names, so that of those blobs none is asked for. The first repository is asked for what its
// name leads to now; where that is nothing, for the manifest that it got last; and for the base's, if the base is from there. Should it not
// have a blob after all, it refuses the new manifest, and then all are asked for.
//
// A layer that another repository of the registry has is mounted from there: one of the base, and one of ours that went there before, unless
// the registry does not let us read there.
type Push struct {
	pusher *remote.Pusher
	names  []name.Tag
	pushed pushed
	slots  *semaphore.Weighted
	look   func(name.Reference) present // at the first repository
	upload func(v1.Layer)               // to the first repository, in the background
	end    func()

	mu      sync.Mutex
	looked  map[string]func() present // by reference
	uploads map[v1.Hash]*upload       // to the first repository
}

// present is what a repository is known to have.
type present struct {
	digest v1.Hash // of the manifest that was looked for; zero where there is none
	blobs  map[v1.Hash]bool
	told   bool // the registry answered, be it that there is none
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
	p := &Push{
		pusher: pusher, names: names, pushed: pushed{r.Cache}, slots: semaphore.NewWeighted(int64(jobs)),
		looked: map[string]func() present{}, uploads: map[v1.Hash]*upload{},
	}
	p.look = func(ref name.Reference) present {
		p.mu.Lock()
		look, ok := p.looked[ref.String()]
		if !ok {
			look = sync.OnceValue(func() present { return p.ask(ctx, ref, options) })
			p.looked[ref.String()] = look
		}
		p.mu.Unlock()
		return look()
	}
	running.Go(func() { p.look(names[0]) })
	var failed atomic.Bool
	p.upload = func(l v1.Layer) {
		running.Go(func() {
			// Who is not let in should not knock once for each layer.
			if !p.look(names[0]).told || p.has(l) || p.slots.Acquire(ctx, 1) != nil {
				return
			}
			defer p.slots.Release(1)
			// What fails now is tried again when all is delivered, and then told.
			if !failed.Load() && pusher.Upload(ctx, names[0].Context(), l) != nil {
				failed.Store(true)
			}
		})
	}
	p.end = func() { cancel(); running.Wait() }
	return p, nil
}

// has says whether the first repository is known to have a layer.
func (p *Push) has(l v1.Layer) bool {
	digest, err := l.Digest()
	if err != nil {
		return false
	}
	repo := p.names[0].Context()
	now := p.look(p.names[0])
	if now.blobs[digest] {
		return true
	}
	if last, ok := p.pushed.last(repo); ok && now.digest == (v1.Hash{}) && p.look(last).blobs[digest] {
		return true
	}
	from, ok := l.(*remote.MountableLayer)
	return ok && from.Reference.Context() == repo && p.look(from.Reference).blobs[digest]
}

// Close ends what is still under way in the background.
func (p *Push) Close() { p.end() }

// ask finds out what a repository has, from a manifest, or from those of an index. One that was pushed from here is not fetched: some
// registries count that. A registry that does not tell is no error.
func (p *Push) ask(ctx context.Context, ref name.Reference, options []remote.Option) present {
	found := present{blobs: map[v1.Hash]bool{}}
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return found
	}
	head, err := puller.Head(ctx, ref)
	var refused *transport.Error
	switch {
	case errors.As(err, &refused):
		found.told = refused.StatusCode == http.StatusNotFound
		return found
	case err == nil:
		if blobs := p.pushed.blobs(head.Digest); blobs != nil {
			return present{digest: head.Digest, blobs: blobs, told: true}
		}
	}
	desc, err := puller.Get(ctx, ref)
	if err != nil {
		return found
	}
	found.digest, found.told = desc.Digest, true
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
		p.upload(mountable(p.of(ctx, b), l, p.names[0], &hopes{push: p, first: true}))
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
	if n > 0 || p.look(tag).digest != parts.manifest.Digest {
		hopes := &hopes{push: p, first: first}
		err := p.write(ctx, tag, a, uploads, hopes)
		if err != nil && hopes.used && isRefusal(err) {
			report.Detail("push %q: the registry is not as it was; all layers are asked for: %v", tag, err)
			err = p.write(ctx, tag, a, uploads, nil)
		}
		if err != nil {
			return err
		}
	}
	if err := p.pushed.remember(tag.Context(), parts); err != nil {
		report.Detail("push %q: %v", tag, err)
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

// hopes are what spares work if the registry is as it was: that it has layers, and that ours can be mounted from where they went before.
// Nil hopes for nothing.
type hopes struct {
	push  *Push
	first bool // it is the first repository
	used  bool
}

func (h *hopes) has(l v1.Layer) bool {
	if h == nil || !h.first || !h.push.has(l) {
		return false
	}
	h.used = true
	return true
}

// source is another repository that has a layer of ours.
func (h *hopes) source(repo name.Repository, digest v1.Hash) (name.Digest, bool) {
	if h == nil {
		return name.Digest{}, false
	}
	from, ok := h.push.pushed.source(repo, digest)
	h.used = h.used || ok
	return from, ok
}

// write pushes the image or index, of which some layers need not be asked for.
func (p *Push) write(ctx context.Context, tag name.Tag, a Artifact, uploads map[v1.Hash]*upload, hopes *hopes) error {
	if a.Index == nil {
		img, err := watch(a.Image, uploads, tag, hopes)
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
		if watched.images[digest], err = watch(img, uploads, tag, hopes); err != nil {
			return err
		}
	}
	return p.pusher.Push(ctx, tag, watched)
}

// isRefusal reports whether a registry answered, and did not want: a manifest for want of a blob, or to let in whom a mount needs.
func isRefusal(err error) bool {
	var te *transport.Error
	return errors.As(err, &te) && te.StatusCode >= 400 && te.StatusCode < 500
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
