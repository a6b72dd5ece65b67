package layer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"vpk/internal/cas"
	"vpk/internal/trace"
)

// recordKind is what is known of layers.
var recordKind = cas.Kind{Name: "layer", Version: FormatVersion}

// sums is what is known of a layer without its bytes; it is the record in the cache.
type sums struct {
	Digest  v1.Hash `json:"digest"`
	DiffID  v1.Hash `json:"diffID"`
	Size    int64   `json:"size"`    // of the blob
	TarSize int64   `json:"tarSize"` // of the tar in it
}

// Builder makes layers. It may be used from any goroutine; what it compresses and hashes at once is limited over all of its work. A layer that
// it made is its own: asked for again, it is there, and not from the cache.
type Builder struct {
	cache *cas.Store
	slots *semaphore.Weighted
	kept  *keeper

	mu   sync.Mutex
	made map[string]sums // by key
}

// NewBuilder makes a builder that does as many things at once as there are processors.
func NewBuilder(cache *cas.Store) *Builder {
	return &Builder{cache: cache, slots: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))), kept: newKeeper(), made: map[string]sums{}}
}

// Build gives the layer of a Spec, see Builder.Build.
func Build(ctx context.Context, cache *cas.Store, spec Spec) (*Layer, error) {
	return NewBuilder(cache).Build(ctx, spec)
}

// Build gives the layer of a Spec. A layer that the cache knows by its key costs no reading of content; of any other, those
// segments are made that the cache does not have, and it is hashed. Errors: content that is not what it claims to be (kind
// Integrity), parts that contradict each other (kind Collision), a full disk (kind Delivery).
func (b *Builder) Build(ctx context.Context, spec Spec) (*Layer, error) {
	l := &Layer{spec: spec, builder: b}
	key := spec.key()
	b.mu.Lock()
	made, ok := b.made[key]
	b.mu.Unlock()
	if ok {
		l.sums = made
		return l, nil
	}
	known, err := b.lookup(key, &l.sums)
	if err != nil {
		return nil, fmt.Errorf("look up layer %q: %w", spec.Name, err)
	}
	if known {
		l.cached = true
		return l, nil
	}
	if l.sums, err = b.make(ctx, spec, true); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.made[key] = l.sums
	b.mu.Unlock()
	data, err := json.Marshal(l.sums)
	if err == nil {
		err = b.cache.PutRecord(recordKind, key, data)
	}
	if err != nil {
		return nil, fmt.Errorf("record layer %q: %w", spec.Name, err)
	}
	return l, nil
}

// Prepare makes what of a layer can be made before it is known which layer its parts will be in: their segments, as they are
// where no other part before them has files or directories of theirs. It is of use alone to who builds a layer with these
// parts later.
func (b *Builder) Prepare(ctx context.Context, spec Spec) error {
	_, err := b.segments(ctx, spec)
	return err
}

// lookup reads a record; one that does not parse counts as none.
func (b *Builder) lookup(key string, s *sums) (known bool, err error) {
	data, err := b.cache.Record(recordKind, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(data, s) == nil, nil
}

// make makes the layer's segments and hashes it, from the furthest place on that the cache knows a state of if resume says so. Each
// segment that proves damaged is made again, once.
func (b *Builder) make(ctx context.Context, spec Spec, resume bool) (sums, error) {
	mended := map[string]bool{}
	for {
		segments, err := b.segments(ctx, spec)
		if err != nil {
			return sums{}, err
		}
		s, bad, err := b.hash(ctx, spec, segments, resume)
		if err == nil {
			return s, nil
		}
		if bad == nil || mended[bad.key] {
			return sums{}, fmt.Errorf("make layer %q: %w", spec.Name, err)
		}
		mended[bad.key] = true
		if err := bad.discard(ctx, b.cache); err != nil {
			return sums{}, fmt.Errorf("make layer %q: %w", spec.Name, err)
		}
	}
}

// segments gives all segments of a layer, in order.
func (b *Builder) segments(ctx context.Context, spec Spec) ([]*segment, error) {
	plan, err := spec.plan()
	if err != nil {
		return nil, err
	}
	plan = append(plan, archiveEnd)
	codec := spec.Compression.codec()
	segments := make([]*segment, len(plan))
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range plan {
		group.Go(func() error {
			turn := trace.Wait(ctx)
			if err := b.slots.Acquire(ctx, 1); err != nil {
				return context.Cause(ctx)
			}
			defer b.slots.Release(1)
			var err error
			segments[i], err = newSegment(ctx, turn, b.cache, b.kept, codec, s)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("make layer %q: %w", spec.Name, err)
	}
	return segments, nil
}

// hash gives the sums of a layer from its segments. A segment that is not what it should be is returned with the error.
func (b *Builder) hash(ctx context.Context, spec Spec, segments []*segment, resume bool) (sums, *segment, error) {
	turn := trace.Wait(ctx)
	if err := b.slots.Acquire(ctx, 1); err != nil {
		return sums{}, nil, context.Cause(ctx)
	}
	defer b.slots.Release(1)
	span := turn.Start(trace.Hash, spec.Name)
	defer span.End()
	h := newHashing(spec.Compression.codec())
	states := newStates(b.cache, h.codec, segments)
	done := 0
	if resume {
		var err error
		if done, err = states.resume(h); err != nil {
			return sums{}, nil, err
		}
	}
	known := h.raw.n
	defer func() { span.Bytes(h.raw.n - known) }()
	ahead := b.readAhead(ctx, segments[done:])
	defer ahead.stop()
	for i, s := range segments[done:] {
		if err := h.add(ahead.next()); err != nil {
			if errors.Is(err, errSegment) {
				return sums{}, s, err
			}
			return sums{}, nil, err
		}
		if err := states.keep(h, done+i); err != nil {
			return sums{}, nil, err
		}
	}
	return h.sums(), nil, nil
}

// ahead reads segments in order, the next ones while there are processors for it.
type ahead struct {
	slots *semaphore.Weighted
	read  func(s *segment, done func()) *reading
	stop  func()
	left  []*segment
	begun []*reading
}

// readAhead begins with the first of some segments. stop must be called, and ends what is being read.
func (b *Builder) readAhead(ctx context.Context, segments []*segment) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{slots: b.slots, left: segments, read: func(s *segment, done func()) *reading { return s.read(ctx, done) }}
	a.stop = func() {
		cancel()
		for _, r := range a.begun {
			r.drop()
		}
	}
	return a
}

// next gives the next segment, and begins to read some of those after it.
func (a *ahead) next() *reading {
	if len(a.begun) == 0 {
		a.begin(func() {})
	}
	for len(a.left) > 0 && len(a.begun) <= runtime.GOMAXPROCS(0) && a.slots.TryAcquire(1) {
		a.begin(func() { a.slots.Release(1) })
	}
	r := a.begun[0]
	a.begun = a.begun[1:]
	return r
}

func (a *ahead) begin(done func()) {
	a.begun = append(a.begun, a.read(a.left[0], done))
	a.left = a.left[1:]
}
