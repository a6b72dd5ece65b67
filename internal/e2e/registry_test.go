package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// registryServer is a registry on loopback that keeps an account. Other than go-containerregistry's, which it is inside,
// it keeps repositories apart: a blob is there where it was sent or mounted.
type registryServer struct {
	*httptest.Server
	host string

	mu             sync.Mutex
	user, password string                     // "" for everybody
	has            map[string]map[string]bool // repository → digests of blobs
	account
}

// account is what a registry was asked for since the last time.
type account struct {
	sent, mounted, read []string // digests of blobs
	manifests           int      // sent
	refused             int      // requests without the right credentials
}

func newRegistry(t testing.TB) *registryServer {
	t.Helper()
	r := &registryServer{has: map[string]map[string]bool{}}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.serve(w, req, inner) }))
	t.Cleanup(r.Close)
	r.host = strings.TrimPrefix(r.URL, "http://")
	return r
}

var blobPath = regexp.MustCompile(`^/v2/(.+)/blobs/(.+)$`)

func (r *registryServer) serve(w http.ResponseWriter, req *http.Request, inner http.Handler) {
	if !r.admits(req) {
		w.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if m := blobPath.FindStringSubmatch(req.URL.Path); m != nil && r.answers(w, req, m[1], m[2]) {
		return
	}
	answer := &statusWriter{ResponseWriter: w}
	inner.ServeHTTP(answer, req)
	if answer.status != http.StatusCreated {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := req.URL.Query().Get("digest")
	switch m := blobPath.FindStringSubmatch(req.URL.Path); {
	case m != nil && digest != "":
		r.add(m[1], digest)
		r.sent = append(r.sent, digest)
	case path.Base(path.Dir(req.URL.Path)) == "manifests" && req.Method == http.MethodPut:
		r.manifests++
	}
}

func (r *registryServer) admits(req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.user == "" {
		return true
	}
	user, password, ok := req.BasicAuth()
	if !ok || user != r.user || password != r.password {
		r.refused++
		return false
	}
	return true
}

// answers answers for a blob of a repository what the registry inside, which has but one store, cannot.
func (r *registryServer) answers(w http.ResponseWriter, req *http.Request, repository, rest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	query := req.URL.Query()
	mount, from := query.Get("mount"), query.Get("from")
	switch {
	case (req.Method == http.MethodHead || req.Method == http.MethodGet) && strings.HasPrefix(rest, "sha256:"):
		if !r.has[repository][rest] {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		if req.Method == http.MethodGet {
			r.read = append(r.read, rest)
		}
	case req.Method == http.MethodPost && r.has[from][mount]:
		r.add(repository, mount)
		r.mounted = append(r.mounted, mount)
		w.Header().Set("Location", "/v2/"+repository+"/blobs/"+mount)
		w.Header().Set("Docker-Content-Digest", mount)
		w.WriteHeader(http.StatusCreated)
		return true
	}
	return false
}

func (r *registryServer) add(repository, digest string) {
	if r.has[repository] == nil {
		r.has[repository] = map[string]bool{}
	}
	r.has[repository][digest] = true
}

// require makes the registry ask for credentials.
func (r *registryServer) require(user, password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.user, r.password = user, password
}

// settle returns the account and begins a new one.
func (r *registryServer) settle() account {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.account
	r.account = account{}
	return a
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
