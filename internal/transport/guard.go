package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// ErrOffline is what every request of an offline client fails with.
var ErrOffline = errors.New("network access is turned off")

// ErrStalled is what a request fails with when nothing arrives for the read timeout.
var ErrStalled = errors.New("stalled")

// guard is a RoundTripper that refuses when offline, names the program, and ends what stalls.
type guard struct {
	base http.RoundTripper
	opts Options
	// headerTimeout limits the wait for the headers of GET and HEAD; 0 where base does so itself.
	headerTimeout time.Duration
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.opts.Offline {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, ErrOffline
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	req = req.Clone(ctx)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", g.opts.UserAgent)
	}
	clock := newWatch(g.opts.ReadTimeout, cancel)
	if g.headerTimeout > 0 && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		clock.start()
	}
	resp, err := g.base.RoundTrip(req)
	clock.stop()
	if err != nil {
		err = stallOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	if _, err := req.URL.Parse(resp.Header.Get("Location")); err != nil {
		// net/http would quote it, with whatever signature or password is in it.
		err = errors.Join(errors.New("the server led to a malformed URL"), resp.Body.Close())
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{body: resp.Body, clock: clock, cause: func(err error) error { return stallOf(ctx, err) }, end: func() { cancel(nil) }}
	return resp, nil
}

// stallOf replaces the error of a cancelled context by the reason when that was a stall.
func stallOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}

// watch cancels a request when it is not stopped in time.
type watch struct {
	limit time.Duration
	timer *time.Timer
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{limit: limit, timer: time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("%w: nothing arrived for %s", ErrStalled, limit))
	})}
	w.timer.Stop()
	return w
}

func (w *watch) start() { w.timer.Reset(w.limit) }
func (w *watch) stop()  { w.timer.Stop() }

// watchedBody is a body of which each read is watched; the time between reads is the reader's own.
type watchedBody struct {
	body  io.ReadCloser
	clock *watch
	cause func(error) error
	end   func()
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.clock.start()
	n, err := b.body.Read(p)
	b.clock.stop()
	if err != nil && err != io.EOF {
		err = b.cause(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.clock.stop()
	err := b.body.Close()
	b.end()
	return err
}
