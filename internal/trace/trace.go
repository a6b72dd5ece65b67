// Package trace records which steps a run is made of, and how long each of them took.
//
// A Recorder goes with the context. Whoever does a piece of work says so where the work is done:
//
//	span := trace.Start(ctx, trace.Download, "numpy-2.4.0-cp311-cp311-manylinux_2_28_x86_64.whl")
//	defer span.End()
//	...
//	span.Bytes(n)
//
// Without a Recorder in the context this allocates nothing and does nothing. The clock is the Recorder's.
//
// A span is about work, not about waiting for one's turn. Work for which there is a limit is begun by Wait, before the turn is
// asked for; the span then starts when its turn has come, and knows how long it waited. Where several goroutines with a limit
// in common work on one thing, each brackets what it does by Work and Rest: then busy is the sum of what they did, and waited the
// time during which none of them could do anything. Spans of one goroutine do not nest, so that sums count nothing twice.
//
// Steps are the constants of type Step; each says what it counts as bytes. Items are names of files, packages, layers and
// images, and digests: no URLs, which may have credentials.
//
// What was recorded is given as Timings, a row for each step, and by WriteChrome as a file that chrome://tracing and
// https://ui.perfetto.dev show. A span that was not ended, since its goroutine was left behind by an error, lasts until then.
package trace

import (
	"context"
	"sync"
	"time"
)

// Recorder keeps spans. It is safe for concurrent use.
type Recorder struct {
	now func() time.Time

	mu    sync.Mutex
	spans []*Span
}

// New makes a Recorder that reads a clock.
func New(now func() time.Time) *Recorder { return &Recorder{now: now} }

// Add records a span that is over, of something that happened before there was a context.
func (r *Recorder) Add(step Step, item string, begin, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, &Span{recorder: r, step: step, item: item, begin: begin, end: end})
}

// contextKey is the Recorder's place in a context.
type contextKey struct{}

// With gives a context in which spans are recorded.
func With(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// From is the Recorder of a context, nil where there is none.
func From(ctx context.Context) *Recorder {
	r, _ := ctx.Value(contextKey{}).(*Recorder)
	return r
}

// Span is a piece of work under way. All methods do nothing on a nil Span, and may be called from any goroutine.
type Span struct {
	recorder   *Recorder
	step       Step
	item       string
	begin, end time.Time // end is zero while it is under way
	bytes      int64
	waited     time.Duration // before it began

	// Of work that several goroutines do.
	shared  bool
	workers int
	rested  time.Time // since when there are none
	idle    time.Duration
	busy    time.Duration
}

// Start begins a span; nil where nothing is recorded. End must be called.
func Start(ctx context.Context, step Step, item string) *Span {
	r := From(ctx)
	if r == nil {
		return nil
	}
	return r.start(step, item, 0, r.now())
}

func (r *Recorder) start(step Step, item string, waited time.Duration, now time.Time) *Span {
	s := &Span{recorder: r, step: step, item: item, begin: now, waited: waited, rested: now}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
	return s
}

// Turn is a piece of work that waits for its turn.
type Turn struct {
	recorder *Recorder
	since    time.Time
}

// Wait says that work waits for its turn from now on.
func Wait(ctx context.Context) Turn {
	r := From(ctx)
	if r == nil {
		return Turn{}
	}
	return Turn{r, r.now()}
}

// Start begins the span of the work when its turn has come.
func (t Turn) Start(step Step, item string) *Span {
	if t.recorder == nil {
		return nil
	}
	now := t.recorder.now()
	return t.recorder.start(step, item, now.Sub(t.since), now)
}

// End ends the span. Calling it again does nothing.
func (s *Span) End() {
	if s == nil {
		return
	}
	now := s.recorder.now()
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if s.end.IsZero() {
		s.end = now
	}
}

// Bytes counts n bytes more.
func (s *Span) Bytes(n int64) {
	if s == nil {
		return
	}
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.bytes += n
}

// Work says that one of several goroutines goes to work on what the span is about. Rest must be called with the result.
func (s *Span) Work() time.Time {
	if s == nil {
		return time.Time{}
	}
	now := s.recorder.now()
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.shared = true
	if s.workers == 0 {
		s.idle += now.Sub(s.rested)
	}
	s.workers++
	return now
}

// Rest says that the goroutine stops that went to work at a time.
func (s *Span) Rest(began time.Time) {
	if s == nil {
		return
	}
	now := s.recorder.now()
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.busy += now.Sub(began)
	if s.workers--; s.workers == 0 {
		s.rested = now
	}
}

// record is what became of a span.
type record struct {
	step       Step
	item       string
	begin, end time.Time
	bytes      int64
	busy       time.Duration
	waited     time.Duration
	unfinished bool
}

// records are the spans as they are now.
func (r *Recorder) records() []record {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]record, len(r.spans))
	for i, s := range r.spans {
		rec := record{step: s.step, item: s.item, begin: s.begin, end: s.end, bytes: s.bytes, waited: s.waited}
		if rec.unfinished = s.end.IsZero(); rec.unfinished {
			rec.end = now
		}
		rec.busy = rec.end.Sub(rec.begin)
		if s.shared {
			rec.busy, rec.waited = s.busy, rec.waited+s.idle
			if s.workers == 0 {
				rec.waited += rec.end.Sub(s.rested)
			}
		}
		list[i] = rec
	}
	return list
}
