package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpk/internal/fault"
)

// TestLimits: no more bodies are under way than MaxBodies, and no more at one host than MaxPerHost.
func TestLimits(t *testing.T) {
	var all, most atomic.Int32
	serve := func(mostHere *atomic.Int32) *httptest.Server {
		var here atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raise(&most, all.Add(1))
			raise(mostHere, here.Add(1))
			time.Sleep(20 * time.Millisecond)
			here.Add(-1)
			all.Add(-1)
			_, _ = io.WriteString(w, "x")
		}))
		t.Cleanup(s.Close)
		return s
	}
	var mostA, mostB atomic.Int32
	a, b := serve(&mostA), serve(&mostB)
	opts := quick
	opts.ReadTimeout, opts.MaxBodies, opts.MaxPerHost = time.Second, 5, 3
	c := newClient(t, opts)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			if _, _, err := read(t, c, []string{a.URL, b.URL}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 5 || mostA.Load() > 3 || mostB.Load() > 3 {
		t.Errorf("%d at once, %d and %d at a host", most.Load(), mostA.Load(), mostB.Load())
	}
}

func raise(most *atomic.Int32, n int32) {
	for {
		m := most.Load()
		if n <= m || most.CompareAndSwap(m, n) {
			return
		}
	}
}

// TestWaitForABodyEndsWithTheContext, and a body that was closed, read or failed makes room.
func TestWaitForABodyEndsWithTheContext(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "x")
	}))
	defer s.Close()
	opts := quick
	opts.MaxBodies = 1
	c := newClient(t, opts)
	held, err := c.Body(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Body(ctx, s.URL); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while one is under way: %v", err)
	}
	if err := errors.Join(held.Close(), held.Close()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := read(t, c, s.URL); err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(t, c, s.URL+"/missing"); err == nil {
			t.Fatal("what is missing was read")
		}
	}
}

// TestRedirectsTakeCredentialsNowhereElse: what goes along to where a server leads.
func TestRedirectsTakeCredentialsNowhereElse(t *testing.T) {
	type seen struct{ path, auth, referer string }
	var mu sync.Mutex
	var log []seen
	var other *httptest.Server
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		log = append(log, seen{r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Referer")})
		mu.Unlock()
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/there":
			http.Redirect(w, r, other.URL+"/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/own":
			http.Redirect(w, r, strings.Replace(other.URL, "://", "://a:b@", 1)+"/end", http.StatusFound)
		}
	})
	first := httptest.NewServer(handler)
	defer first.Close()
	other = httptest.NewServer(handler)
	defer other.Close()
	u, err := url.Parse(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "secret")
	const ours, theirs = "Basic dXNlcjpzZWNyZXQ=", "Basic YTpi"
	for path, want := range map[string]string{"/here": ours, "/there": "", "/own": theirs} {
		log = nil
		u.Path, u.RawQuery = path, "token=sEcReT"
		if _, _, err := read(t, newClient(t, quick), u.String()); err != nil {
			t.Fatal(err)
		}
		if len(log) != 2 || log[0].auth != ours || log[1].auth != want || log[1].referer != "" {
			t.Errorf("%s: %q", path, log)
		}
	}
	log = nil
	if _, _, err := read(t, newClient(t, quick), first.URL+"/loop"); err == nil || !strings.Contains(err.Error(), "10 times") || len(log) != 11 {
		t.Errorf("%d requests, %v", len(log), err)
	}
}

// TestPermanent: what Options.Around calls permanent is not tried again, and its hint is the only one.
func TestPermanent(t *testing.T) {
	calls := 0
	opts := quick
	opts.Around = func(http.RoundTripper) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) {
			calls++
			return nil, &Permanent{fault.New(fault.Network, "ask for a password", "no password")}
		})
	}
	_, _, err := read(t, newClient(t, opts), "https://user:secret@files.example/x")
	if hints := fault.Hints(err); calls != 1 || err == nil || len(hints) != 1 || hints[0] != "ask for a password" || strings.Contains(err.Error(), "secret") {
		t.Errorf("%d calls, %v, hints %q", calls, err, hints)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
