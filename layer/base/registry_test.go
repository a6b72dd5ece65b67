package base

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/fault"
	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

// testRegistry is a registry in the process that counts what it is asked.
type testRegistry struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	// answer may take a request over; it says whether it did.
	answer func(w http.ResponseWriter, r *http.Request, next http.Handler) bool
}

func newTestRegistry(t testing.TB) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	next := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.Path)
		answer := r.answer
		r.mu.Unlock()
		if answer == nil || !answer(w, req, next) {
			next.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *testRegistry) host() string { return strings.TrimPrefix(r.URL, "http://") }

// asked is how many requests there were, since the last call, for paths with a part in them.
func (r *testRegistry) asked(part string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.requests {
		if strings.Contains(s, part) {
			n++
		}
	}
	r.requests = nil
	return n
}

func (r *testRegistry) takeOver(answer func(http.ResponseWriter, *http.Request, http.Handler) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// push puts an image or an index under a tag.
func (r *testRegistry) push(t testing.TB, tagged string, img mutate.Appendable) {
	t.Helper()
	ref, err := name.ParseReference(r.host() + "/" + tagged)
	if err != nil {
		t.Fatal(err)
	}
	switch img := img.(type) {
	case v1.Image:
		err = remote.Write(ref, img)
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.asked("")
}

// client is a transport of the test's own, so that no connection outlives it.
func client(t testing.TB) http.RoundTripper {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestRegistry(t *testing.T) {
	r := newTestRegistry(t)
	onAMD, onARM := basetest.PythonImage(t, bookwormOn(tag.X8664)), basetest.PythonImage(t, bookwormOn(tag.AArch64))
	index := basetest.Index(t, onAMD, onARM)
	r.push(t, "distroless/python:nonroot", index)
	opts := Options{Cache: newStore(t), Transport: client(t)}
	ref := r.host() + "/distroless/python:nonroot"

	got := mustOpen(t, ref, opts)
	if got.Digest != digestOfImage(t, onAMD) || got.IndexDigest != digestOfImage(t, index) || got.Facts.Target != bookworm || got.Ref.String() != ref || got.Pinned() {
		t.Errorf("%+v", got)
	}
	if n := r.asked("GET /v2/distroless/python/blobs/"); n != 2 {
		t.Errorf("%d blobs were asked for, want config and layer", n)
	}
	if err := validate.Image(got.V1(t.Context())); err != nil {
		t.Error(err)
	}
	pin, err := got.Pin()
	if want := ref + "@" + digestOfImage(t, index).String(); err != nil || pin.String() != want {
		t.Errorf("pin %q, %v: want %q", pin, err, want)
	}

	// By tag, only the digest is asked for again; by digest, and offline, nothing.
	if _, err := got.Root(t.Context()); err != nil {
		t.Error(err)
	}
	r.asked("")
	mustOpen(t, ref, opts)
	if n := r.asked("GET /v2/distroless"); n != 0 {
		t.Errorf("%d documents were asked for again", n)
	}
	mustOpen(t, pin.String(), opts)
	opts.Offline = true
	offline := mustOpen(t, ref, opts)
	if n := r.asked(""); n != 0 || offline.Digest != got.Digest {
		t.Errorf("%d requests for what is in the cache; digest %s", n, offline.Digest)
	}
	if err := validate.Image(offline.V1(t.Context())); err != nil {
		t.Errorf("offline: %v", err)
	}
}

func TestOfflineNeedsTheCache(t *testing.T) {
	r := newTestRegistry(t)
	img := basetest.PythonImage(t, bookworm)
	r.push(t, "python:1", img)
	for ref, want := range map[string]string{
		r.host() + "/python:1":                                 "the tag was never resolved on this machine",
		r.host() + "/python@" + digestOfImage(t, img).String(): "offline, and manifest sha256:",
	} {
		_, err := openRef(t, ref, Options{Offline: true})
		if err == nil || fault.KindOf(err) != fault.Network || !strings.Contains(err.Error(), want) || len(fault.Hints(err)) == 0 {
			t.Errorf("%s: kind %d: %v: want %q and a hint", ref, fault.KindOf(err), err, want)
		}
	}
	// What is known, but whose layer is gone from the cache, says so when the layer is opened.
	opts := Options{Cache: newStore(t), Transport: client(t)}
	mustOpen(t, r.host()+"/python:1", opts)
	for _, f := range cacheFiles(t, opts.Cache, kindBlob) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	r.asked("")
	opts.Offline = true
	if _, err := mustOpen(t, r.host()+"/python:1", opts).Root(t.Context()); fault.KindOf(err) != fault.Network || !strings.Contains(err.Error(), "offline, and layer") {
		t.Errorf("root without layers: %v", err)
	}
	if n := r.asked(""); n != 0 {
		t.Errorf("%d requests while offline", n)
	}
}

func TestTagThatMoves(t *testing.T) {
	r := newTestRegistry(t)
	opts := Options{Cache: newStore(t), Transport: client(t)}
	ref := r.host() + "/python:latest"
	config, list := basetest.Python(bookworm)
	var images []v1.Image
	for _, extra := range []string{"one=1", "two=2"} {
		img := basetest.Image(t, config, basetest.Layer(t, basetest.Tar(t, slices.Concat(list, short(extra))...), types.OCILayer))
		images = append(images, img)
		r.push(t, "python:latest", img)
		if got := mustOpen(t, ref, opts); got.Digest != digestOfImage(t, img) {
			t.Errorf("digest %s, want %s", got.Digest, digestOfImage(t, img))
		}
	}
	opts.Offline = true
	if got := mustOpen(t, ref, opts); got.Digest != digestOfImage(t, images[1]) {
		t.Errorf("offline: digest %s, want the last one", got.Digest)
	}
	if got := mustOpen(t, r.host()+"/python@"+digestOfImage(t, images[0]).String(), opts); got.Digest != digestOfImage(t, images[0]) {
		t.Errorf("offline by digest: %s", got.Digest)
	}
}

func TestRegistryWithoutHEAD(t *testing.T) {
	r := newTestRegistry(t)
	r.push(t, "python:1", basetest.PythonImage(t, bookworm))
	r.takeOver(func(w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		if req.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return req.Method == http.MethodHead
	})
	mustOpen(t, r.host()+"/python:1", Options{Transport: client(t)})
}

// keychain knows one user of one registry.
type keychain struct{ host, user, password string }

func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if r.RegistryStr() != k.host {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func TestRegistryWithAuth(t *testing.T) {
	r := newTestRegistry(t)
	img := basetest.PythonImage(t, bookworm)
	r.push(t, "python:1", img)
	r.takeOver(func(w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		user, password, _ := req.BasicAuth()
		if user == "me" && password == "secret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	if got := mustOpen(t, r.host()+"/python:1", Options{Transport: client(t), Keychain: keychain{r.host(), "me", "secret"}}); got.Digest != digestOfImage(t, img) {
		t.Errorf("digest %s", got.Digest)
	}
	for _, opts := range []Options{{}, {Keychain: keychain{r.host(), "me", "hunter2"}}} {
		opts.Transport = client(t)
		_, err := openRef(t, r.host()+"/python:1", opts)
		if fault.KindOf(err) != fault.Base || !strings.Contains(strings.Join(fault.Hints(err), "\n"), "docker login "+r.host()) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("kind %d, hints %q: %v", fault.KindOf(err), fault.Hints(err), err)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	r := newTestRegistry(t)
	img := basetest.PythonImage(t, bookworm)
	r.push(t, "python:1", img)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, test := range map[string]struct {
		ref  string
		opts Options
		kind fault.Kind
		hint string
	}{
		"no such tag":        {r.host() + "/python:2", Options{}, fault.Base, "check the name and the tag"},
		"no such digest":     {r.host() + "/python@" + someDigest, Options{}, fault.Base, "check the name"},
		"no such repository": {r.host() + "/nothing:1", Options{}, fault.Base, "check the name"},
		"nobody answers":     {r.host() + "/python:1", Options{Transport: refusing{}}, fault.Network, "check the network"},
		"another platform":   {r.host() + "/python:1", Options{Platform: arm64}, fault.Base, "--platform"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.opts.Transport == nil {
				test.opts.Transport = client(t)
			}
			_, err := openRef(t, test.ref, test.opts)
			if fault.KindOf(err) != test.kind || !strings.Contains(strings.Join(fault.Hints(err), "\n"), test.hint) {
				t.Errorf("kind %d, hints %q: %v: want kind %d and %q", fault.KindOf(err), fault.Hints(err), err, test.kind, test.hint)
			}
		})
	}
}

// refusing is a network that is not there.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
}

func TestUnreachableRegistryNamesTheLastDigest(t *testing.T) {
	r := newTestRegistry(t)
	img := basetest.PythonImage(t, bookworm)
	r.push(t, "python:1", img)
	store := newStore(t)
	mustOpen(t, r.host()+"/python:1", Options{Cache: store, Transport: client(t)})
	_, err := openRef(t, r.host()+"/python:1", Options{Cache: store, Transport: refusing{}})
	want := "--offline takes the last one resolved, " + digestOfImage(t, img).String()
	if fault.KindOf(err) != fault.Network || !strings.Contains(strings.Join(fault.Hints(err), "\n"), want) {
		t.Errorf("hints %q: %v", fault.Hints(err), err)
	}
}

// broken layer answers: the first n times the body is cut, or other bytes are served.
func TestLayerThatBreaksOff(t *testing.T) {
	r := newTestRegistry(t)
	img := basetest.PythonImage(t, bookworm)
	r.push(t, "python:1", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := digestOfImage(t, layers[0])
	for name, test := range map[string]struct {
		breaks int
		change func(body []byte) []byte
		length bool // the length announced is the real one
		kind   fault.Kind
	}{
		"cut twice":   {downloadTries - 1, func(b []byte) []byte { return b[:len(b)/2] }, true, 0},
		"cut always":  {downloadTries, func(b []byte) []byte { return b[:len(b)/2] }, true, fault.Network},
		"ended early": {downloadTries, func(b []byte) []byte { return b[:len(b)/2] }, false, fault.Network},
		"other bytes": {downloadTries, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, true, fault.Integrity},
	} {
		t.Run(name, func(t *testing.T) {
			left := test.breaks
			r.takeOver(func(w http.ResponseWriter, req *http.Request, next http.Handler) bool {
				if !strings.HasSuffix(req.URL.Path, layer.String()) || req.Method != http.MethodGet || left == 0 {
					return false
				}
				left--
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, req)
				body := answer.Body.Bytes()
				if test.length {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				}
				_, _ = w.Write(test.change(body))
				return true
			})
			store := newStore(t)
			_, err := openRef(t, r.host()+"/python:1", Options{Cache: store, Transport: client(t)})
			if test.kind == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), layer.String()) {
				t.Errorf("kind %d: %v: want kind %d and the layer", fault.KindOf(err), err, test.kind)
			}
			if left := cacheFiles(t, store, kindBlob); left != nil {
				t.Errorf("the cache has %q", left)
			}
		})
	}
}

func TestDamagedCacheIsMadeAgain(t *testing.T) {
	r := newTestRegistry(t)
	r.push(t, "python:1", basetest.PythonImage(t, bookworm))
	opts := Options{Cache: newStore(t), Transport: client(t)}
	mustOpen(t, r.host()+"/python:1", opts)
	n := 0
	for _, f := range slices.Concat(cacheFiles(t, opts.Cache, kindManifest), cacheFiles(t, opts.Cache, kindBlob), cacheFiles(t, opts.Cache, kindFiles)) {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, make([]byte, info.Size()), 0o644); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4 {
		t.Fatalf("%d entries, want manifest, config, layer and index", n)
	}
	img := mustOpen(t, r.host()+"/python:1", opts)
	if err := validate.Image(img.V1(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestPushMountsTheBase: an image on a registry base goes to the same registry without its layers being read or sent.
func TestPushMountsTheBase(t *testing.T) {
	r := newTestRegistry(t)
	r.push(t, "python:1", basetest.PythonImage(t, bookworm))
	opts := Options{Cache: newStore(t), Transport: client(t)}
	base := mustOpen(t, r.host()+"/python:1", opts)
	for _, f := range cacheFiles(t, opts.Cache, kindBlob) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	top, err := mutate.AppendLayers(base.V1(t.Context()), basetest.Layer(t, basetest.Tar(t, short("app=1")...), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := base.V1(t.Context()).Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := digestOfImage(t, layers[0])
	mounted := 0
	// The registry of the test shares blobs among its repositories; this one does so only when it is asked to.
	r.takeOver(func(w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		switch {
		case req.Method == http.MethodHead && req.URL.Path == "/v2/mine/blobs/"+layer.String():
			w.WriteHeader(http.StatusNotFound)
		case req.Method == http.MethodPost && req.URL.Query().Get("mount") == layer.String() && req.URL.Query().Get("from") == "python":
			mounted++
			w.Header().Set("Docker-Content-Digest", layer.String())
			w.WriteHeader(http.StatusCreated)
		default:
			return false
		}
		return true
	})
	mine, err := name.ParseReference(r.host() + "/mine:1")
	if err != nil {
		t.Fatal(err)
	}
	r.asked("")
	if err := remote.Write(mine, top, remote.WithTransport(opts.Transport)); err != nil {
		t.Fatal(err)
	}
	if n := r.asked("GET /v2/python/blobs"); n != 0 || mounted != 1 {
		t.Errorf("%d layers of the base were read, %d mounted", n, mounted)
	}
}
