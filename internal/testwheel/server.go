package testwheel

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is how a Server hands a file out badly. Its zero value is good behaviour.
type Fault struct {
	// Times is how many requests the fault spoils; those after it are served well. 0 means all.
	Times int
	// Status, if not 0, is the answer, without a body.
	Status int
	// RetryAfter, with Status, is the header of that name.
	RetryAfter string
	// Truncate, if not 0, ends the connection after so many bytes of the body, which was announced whole.
	Truncate int
	// Stall, if not 0, sends so many bytes of the body and then nothing, until the client goes away.
	Stall int
	// Slow, if not 0, waits so long before each KiB of the body.
	Slow time.Duration
	// Wrong serves these bytes in place of the file's.
	Wrong []byte
	// NoRange ignores Range and always serves the whole file, without an ETag.
	NoRange bool
	// NewETag gives every answer another ETag, as a file that changes between requests.
	NewETag bool
}

// Server serves files over HTTP on loopback until the test ends.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	files    map[string][]byte
	faults   map[string]*Fault
	requests map[string][]Request
	sent     map[string]int64
}

// Request is one that the server was asked.
type Request struct {
	Method string
	Header http.Header
}

// NewServer starts a server; it stops when the test ends.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{files: map[string][]byte{}, faults: map[string]*Fault{}, requests: map[string][]Request{}, sent: map[string]int64{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Add serves a file under its name and returns the URL.
func (s *Server) Add(name string, body []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = body
	return s.URL + "/files/" + strings.ReplaceAll(name, "+", "%2B")
}

// AddWheel serves a wheel under its file name and returns the URL.
func (s *Server) AddWheel(b *Builder) string { return s.Add(b.Filename(), b.Bytes()) }

// Spoil sets the fault of a file.
func (s *Server) Spoil(name string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name] = &f
}

// Requests are those that were made for a file, in order.
func (s *Server) Requests(name string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests[name]...)
}

// Sent is how many bytes of a file's body were written, over all requests.
func (s *Server) Sent(name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[name]
}

// take records a request and says what to do with it.
func (s *Server) take(name string, r *http.Request) (body []byte, fault Fault, attempt int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attempt = len(s.requests[name])
	s.requests[name] = append(s.requests[name], Request{r.Method, r.Header.Clone()})
	body, ok = s.files[name]
	if f := s.faults[name]; f != nil && (f.Times == 0 || attempt < f.Times) {
		fault = *f
	}
	return body, fault, attempt, ok
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/files/")
	body, fault, attempt, ok := s.take(name, r)
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case fault.Status != 0:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		w.WriteHeader(fault.Status)
		return
	case fault.Wrong != nil:
		body = fault.Wrong
	}
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(body))
	if fault.NewETag {
		etag = fmt.Sprintf(`"%d"`, attempt)
	}
	out := &faultyWriter{ResponseWriter: w, server: s, name: name, fault: fault, gone: r.Context().Done()}
	w.Header().Set("Content-Type", "application/octet-stream")
	if fault.NoRange {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = out.Write(body)
		}
		return
	}
	w.Header().Set("ETag", etag)
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(body))
}

// faultyWriter writes a body until its fault strikes.
type faultyWriter struct {
	http.ResponseWriter
	server  *Server
	name    string
	fault   Fault
	written int
	gone    <-chan struct{}
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		chunk := p[:min(len(p), 1<<10)]
		if limit := max(w.fault.Truncate, w.fault.Stall); limit > 0 {
			if w.written >= limit {
				w.strike()
			}
			chunk = chunk[:min(len(chunk), limit-w.written)]
		}
		if w.fault.Slow > 0 {
			time.Sleep(w.fault.Slow)
		} else if w.fault.Truncate == 0 && w.fault.Stall == 0 {
			chunk = p
		}
		n, err := w.ResponseWriter.Write(chunk)
		total += n
		w.written += n
		w.server.count(w.name, n)
		if err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

// strike sends what was written and breaks the connection, at once or when the client has had enough.
func (w *faultyWriter) strike() {
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	if w.fault.Stall > 0 {
		<-w.gone
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) count(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[name] += int64(n)
}
