package transport

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are options for tests: short waits, and a stall that the test need not wait for long.
var quick = Options{RetryWait: time.Millisecond, ReadTimeout: 200 * time.Millisecond}

func newClient(t *testing.T, opts Options) *Client {
	t.Helper()
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// read downloads all of a URL.
func read(t *testing.T, c *Client, rawURL string) ([]byte, *Body, error) {
	t.Helper()
	b, err := c.Body(t.Context(), rawURL)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = b.Close() }()
	data, err := io.ReadAll(b)
	return data, b, err
}

func content(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	return data
}

func TestBodySurvives(t *testing.T) {
	const size = 300_000
	for _, tt := range []struct {
		name     string
		fault    testwheel.Fault
		requests int
		resumed  bool
		received int64
	}{
		{"nothing at all", testwheel.Fault{}, 1, false, size},
		{"a truncated answer", testwheel.Fault{Truncate: 100_000, Times: 1}, 2, true, size},
		{"two truncated answers", testwheel.Fault{Truncate: 100_000, Times: 2}, 3, true, size},
		{"a stall", testwheel.Fault{Stall: 100_000, Times: 1}, 2, true, size},
		{"a stall after one byte", testwheel.Fault{Stall: 1, Times: 1}, 2, true, size},
		{"503", testwheel.Fault{Status: 503, Times: 3}, 4, false, size},
		{"501", testwheel.Fault{Status: 501, Times: 1}, 2, false, size},
		{"429 and 408", testwheel.Fault{Status: 429, RetryAfter: "0", Times: 1}, 2, false, size},
		{"a server that ignores Range", testwheel.Fault{NoRange: true}, 1, false, size},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := testwheel.NewServer(t), newClient(t, quick)
			want := content(size)
			u := s.Add("x", want)
			s.Spoil("x", tt.fault)
			got, b, err := read(t, c, u)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %d bytes that differ", len(got))
			}
			if n := len(s.Requests("x")); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			if b.Resumed() != tt.resumed || b.Received() != tt.received || b.Size() != size {
				t.Errorf("resumed %t, received %d, size %d", b.Resumed(), b.Received(), b.Size())
			}
		})
	}
}

func TestResumeAsksForTheRestOfTheSameFile(t *testing.T) {
	s, c := testwheel.NewServer(t), newClient(t, quick)
	u := s.Add("x", content(10_000))
	s.Spoil("x", testwheel.Fault{Truncate: 4000, Times: 1})
	if _, _, err := read(t, c, u); err != nil {
		t.Fatal(err)
	}
	first, second := s.Requests("x")[0].Header, s.Requests("x")[1].Header
	if first.Get("Range") != "" || first.Get("Accept-Encoding") != "identity" || first.Get("User-Agent") != "vpk" {
		t.Errorf("first request: %v", first)
	}
	if second.Get("Range") != "bytes=4000-" || !strings.HasPrefix(second.Get("If-Range"), `"`) {
		t.Errorf("second request: %v", second)
	}
}

func TestResumeWithoutRangeReadsOverWhatItHas(t *testing.T) {
	want := content(50_000)
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "50000")
		if asked.Add(1) == 1 {
			_, _ = w.Write(want[:20_000])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(want)
	}))
	defer s.Close()
	got, b, err := read(t, newClient(t, quick), s.URL)
	if err != nil || !bytes.Equal(got, want) || !b.Resumed() {
		t.Errorf("got %d bytes, resumed %t, %v", len(got), b != nil && b.Resumed(), err)
	}
	if b.Received() != 70_000 {
		t.Errorf("received %d", b.Received())
	}
}

// Servers that answer Range with nonsense are asked for the whole.
func TestResumeAfterBadRangeAnswers(t *testing.T) {
	want := content(50_000)
	for name, bad := range map[string]func(http.ResponseWriter){
		"another range": func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 0-49999/50000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(want)
		},
		"416": func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) },
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch asked.Add(1) {
				case 1:
					w.Header().Set("Content-Length", "50000")
					_, _ = w.Write(want[:20_000])
					panic(http.ErrAbortHandler)
				case 2:
					bad(w)
				default:
					if r.Header.Get("Range") != "" {
						t.Error("Range was asked for again")
					}
					_, _ = w.Write(want)
				}
			}))
			defer s.Close()
			if got, _, err := read(t, newClient(t, quick), s.URL); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestBodyGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name     string
		fault    testwheel.Fault
		requests int
		message  string
	}{
		{"503 for ever", testwheel.Fault{Status: 503}, 4, "(tried 4 times): the server answered 503 Service Unavailable"},
		{"404", testwheel.Fault{Status: 404}, 1, ": the server answered 404 Not Found"},
		{"401", testwheel.Fault{Status: 401}, 1, ": the server answered 401 Unauthorized"},
		{"always truncated", testwheel.Fault{Truncate: 1000}, 4, "the connection ended after 4000 of 10000 bytes"},
		{"always stalled", testwheel.Fault{Stall: 1000}, 4, "stalled: nothing arrived for 200ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := testwheel.NewServer(t), newClient(t, quick)
			u := s.Add("x", content(10_000))
			s.Spoil("x", tt.fault)
			u = strings.Replace(u, "http://", "http://user:secret@", 1) + "?token=hidden#frag"
			_, _, err := read(t, c, u)
			if err == nil || !strings.Contains(err.Error(), tt.message) || fault.KindOf(err) != fault.Network {
				t.Fatalf("err = %v (kind %d)", err, fault.KindOf(err))
			}
			if n := len(s.Requests("x")); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			for _, secret := range []string{"user", "secret", "hidden", "frag"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %q: %v", secret, err)
				}
			}
			if len(fault.Hints(err)) == 0 {
				t.Error("no hint")
			}
		})
	}
}

func TestProgressForgivesFailures(t *testing.T) {
	s, c := testwheel.NewServer(t), newClient(t, quick)
	want := content(8 << 20)
	u := s.Add("x", want)
	s.Spoil("x", testwheel.Fault{Truncate: 1<<20 + 512})
	got, _, err := read(t, c, u)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestErrorsOfConnections(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, u := range map[string]string{
		"refused": strings.Replace(gone.URL, "http://", "http://user:secret@", 1), "no such host": "http://user:secret@no-such-host.invalid/x",
		"scheme": "ftp://user:secret@h/x", "malformed": "http://user:secret@h:port/x", "control": "http://user:secret@h/\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, newClient(t, quick), u)
			if fault.KindOf(err) != fault.Network || strings.Contains(err.Error(), "secret") {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	s, c := testwheel.NewServer(t), newClient(t, Options{})
	u := s.Add("x", content(10_000))
	s.Spoil("x", testwheel.Fault{Stall: 5000})
	ctx, cancel := context.WithCancel(t.Context())
	b, err := c.Body(ctx, u)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if _, err := io.ReadFull(b, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	s.Spoil("x", testwheel.Fault{Status: 503, RetryAfter: "60"})
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Body(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while waiting: %v", err)
	}
}

func TestOffline(t *testing.T) {
	s := testwheel.NewServer(t)
	u := s.Add("x", []byte("x"))
	c := newClient(t, Options{Offline: true})
	if _, _, err := read(t, c, u); !errors.Is(err, ErrOffline) || fault.KindOf(err) != fault.Network {
		t.Errorf("Body: %v", err)
	}
	resp, err := (&http.Client{Transport: c.RoundTripper()}).Post(u, "text/plain", strings.NewReader("x"))
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, ErrOffline) {
		t.Errorf("RoundTripper: %v", err)
	}
	if n := len(s.Requests("x")); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestCertificates(t *testing.T) {
	var proto atomic.Value
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		_, _ = io.WriteString(w, "hello")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()

	_, _, err := read(t, newClient(t, quick), s.URL)
	if err == nil || !strings.Contains(strings.Join(fault.Hints(err), " "), "SSL_CERT_FILE") || !strings.Contains(err.Error(), "x509") {
		t.Errorf("unknown authority: %v, hints %q", err, fault.Hints(err))
	}

	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	opts := quick
	opts.CertFiles = []string{ca}
	c := newClient(t, opts)
	if got, _, err := read(t, c, s.URL); err != nil || string(got) != "hello" || proto.Load() != "HTTP/1.1" {
		t.Errorf("Body: %q, %v, over %v", got, err, proto.Load())
	}
	resp, err := (&http.Client{Transport: c.RoundTripper()}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if proto.Load() != "HTTP/2.0" {
		t.Errorf("RoundTripper goes over %v", proto.Load())
	}

	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{CertFiles: []string{empty, filepath.Join(t.TempDir(), "missing.pem")}})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "empty.pem") || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("bad files: %v", err)
	}
}

func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "through the proxy: "+r.URL.Host)
	}))
	defer proxy.Close()
	opts := quick
	opts.Proxies.All = proxy.URL
	if got, _, err := read(t, newClient(t, opts), "http://files.example/x"); err != nil || string(got) != "through the proxy: files.example" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRoundTripperEndsStalls(t *testing.T) {
	s, c := testwheel.NewServer(t), newClient(t, quick)
	u := s.Add("x", content(10_000))
	s.Spoil("x", testwheel.Fault{Stall: 5000})
	client := &http.Client{Transport: c.RoundTripper()}
	resp, err := client.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !errors.Is(err, ErrStalled) {
		t.Errorf("body: %v", err)
	}

	quiet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer quiet.Close()
	resp, err = client.Get(quiet.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, ErrStalled) {
		t.Errorf("headers: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	for attempt, longest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		for range 20 {
			if got := backoff(time.Second, 10*time.Second, attempt, nil); got < longest/2 || got > longest {
				t.Errorf("wait %d is %s, want at most %s and half of it", attempt, got, longest)
			}
		}
	}
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "3600": time.Minute} {
		resp := &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {header}}}
		if got := backoff(time.Second, 10*time.Second, 0, resp); got != want {
			t.Errorf("Retry-After %s: %s, want %s", header, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@index.example/a%2Bb/c.whl?token=x#sha256=1": "https://index.example/a%2Bb/c.whl",
		"https://index.example/?":                                "https://index.example/",
		"http://u:p@h:port/":                                     "(malformed URL)",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRangeStart(f *testing.F) {
	for _, s := range []string{"bytes 100-199/200", "bytes */200", "bytes -5-9/10", "bytes 007-9/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := rangeStart(s)
		if !ok {
			return
		}
		digits, _, _ := strings.Cut(strings.TrimPrefix(s, "bytes "), "-")
		if again := strings.TrimLeft(digits, "0"); n < 0 || again != strings.TrimLeft(strconv.FormatInt(n, 10), "0") {
			t.Errorf("%q starts at %d", s, n)
		}
	})
}

// TestRedirects: the credentials of a URL stay with the server that they are for, and no message shows where a redirect led.
func TestRedirects(t *testing.T) {
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"), r.Header.Get("Referer"))
		_, _ = w.Write([]byte("content"))
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/elsewhere":
			w.Header().Set("Location", other.URL+"/file?signature=secret")
		case "/here":
			w.Header().Set("Location", "/elsewhere")
		case "/malformed":
			w.Header().Set("Location", "http://user:secret@[::1/?signature=secret")
		case "/loop":
			w.Header().Set("Location", "/loop?signature=secret")
		case "/scheme":
			w.Header().Set("Location", "gopher://user:secret@index.example/?signature=secret")
		}
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	base := strings.Replace(server.URL, "://", "://user:secret@", 1)
	c := newClient(t, quick)
	for _, path := range []string{"/elsewhere", "/here"} {
		if data, _, err := read(t, c, base+path); err != nil || string(data) != "content" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	for _, path := range []string{"/malformed", "/loop", "/scheme"} {
		if _, _, err := read(t, c, base+path); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if strings.Contains(strings.Join(seen, " "), "secret") || strings.Contains(strings.Join(seen, " "), "Basic") {
		t.Errorf("the other server saw %q", seen)
	}
}
