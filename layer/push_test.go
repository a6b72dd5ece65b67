package layer_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
	"vpk/venv/tree"
)

// edited is the synthetic image with another project on top.
func edited(t *testing.T, cache *cas.Store, seed string) (v1.Image, *layer.Layer) {
	t.Helper()
	spec := Project()
	spec.Parts = []tree.Part{Part("project "+seed, File("app/"+seed+".py", []byte("print("+seed+")\n"), false))}
	top := build(t, cache, spec)
	img, err := layer.Image(Base(t, false), layer.BaseInfo{}, []*layer.Layer{build(t, cache, Project()), top}, Config())
	if err != nil {
		t.Fatal(err)
	}
	return img, top
}

func begin(t *testing.T, reg *testRegistry, tags ...string) *layer.Push {
	t.Helper()
	p, err := layer.Registry{Transport: reg.transport}.Begin(t.Context(), names(t, tags...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pull(t *testing.T, reg *testRegistry, tag string) v1.Image {
	t.Helper()
	img, err := remote.Image(names(t, tag)[0], remote.WithTransport(reg.transport))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestLayersAreSentBeforeTheImage: what is offered arrives while there is no image yet, and is not sent again with it.
func TestLayersAreSentBeforeTheImage(t *testing.T) {
	reg := newRegistry(t, nil)
	img, _ := Image(t, Cache(t), false)
	tag := reg.host + "/app:v1"
	p := begin(t, reg, tag)
	defer p.Close()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	p.Offer(t.Context(), layers...)
	p.Offer(t.Context(), layers...) // twice is once
	for deadline := time.Now().Add(30 * time.Second); reg.count("PUT") < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("what was offered is not there: %q", reg.requests)
		}
	}
	got, err := layer.Deliver(t.Context(), p, layer.Artifact{Image: img, Names: names(t, tag)}, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sent.Blobs != 5 || got.Skipped.Blobs != 0 || reg.count("PATCH") != 5 {
		t.Errorf("sent %+v, skipped %+v, %d uploads", got.Sent, got.Skipped, reg.count("PATCH"))
	}
	if err := validate.Image(pull(t, reg, tag)); err != nil {
		t.Error(err)
	}
}

// TestOneRequestTellsWhatIsThere: of the layers that the tag's image has already, none is asked for.
func TestOneRequestTellsWhatIsThere(t *testing.T) {
	reg := newRegistry(t, nil)
	cache := Cache(t)
	tag := reg.host + "/app:v1"
	deliver := func(img v1.Image) layer.Delivered {
		t.Helper()
		reg.forget()
		got, err := layer.Deliver(t.Context(), layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, tag)}, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, _ := edited(t, cache, "1")
	deliver(first)
	second, top := edited(t, cache, "2")
	got := deliver(second)
	if got.Sent.Blobs != 2 || reg.count("HEAD /v2/app/blobs/") != 2 {
		t.Errorf("one layer changed: sent %+v, requests %q", got.Sent, reg.requests)
	}
	if digest, _ := top.Digest(); reg.count("HEAD /v2/app/blobs/"+digest.String()) != 1 {
		t.Errorf("the layer that changed was not asked for: %q", reg.requests)
	}
	if err := validate.Image(pull(t, reg, tag)); err != nil {
		t.Error(err)
	}
	deliver(second)
	if reg.count("HEAD /v2/app/blobs/")+reg.count("POST")+reg.count("PUT") != 0 {
		t.Errorf("an image that is there: %q", reg.requests)
	}
}

// TestManifestOfOursIsNotFetched: what was pushed from here is known, and some registries count what is fetched.
func TestManifestOfOursIsNotFetched(t *testing.T) {
	reg, cache := newRegistry(t, nil), Cache(t)
	for _, seed := range []string{"1", "2", "2"} {
		img, _ := edited(t, cache, seed)
		if _, err := (layer.Registry{Transport: reg.transport, Cache: cache}).Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, reg.host+"/app:v1")}, progress.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if reg.count("GET /v2/app/manifests/") != 0 || reg.count("PUT /v2/app/manifests/") != 2 || reg.count("PATCH") != 5+2 {
		t.Errorf("requests %q", reg.requests)
	}
}

// TestRegistryThatLostALayer: it has an image, and not all of its layers. It says so when it is to take another image with them.
func TestRegistryThatLostALayer(t *testing.T) {
	cache := Cache(t)
	var lost atomic.Pointer[string] // the digest of a blob that is not there, until it is sent
	reg := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		digest := lost.Load()
		switch {
		case digest == nil:
			return false
		case r.Method == http.MethodPut && r.URL.Query().Get("digest") == *digest:
			lost.Store(nil)
		case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, *digest):
			w.WriteHeader(http.StatusNotFound)
			return true
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}`))
			return true
		}
		return false
	})
	tag := reg.host + "/app:v1"
	first, _ := edited(t, cache, "1")
	second, _ := edited(t, cache, "2")
	for _, img := range []v1.Image{first, second} {
		if _, err := layer.Deliver(t.Context(), layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, tag)}, progress.Discard); err != nil {
			t.Fatal(err)
		}
		gone := manifest(t, first).Layers[0].Digest.String()
		lost.Store(&gone)
	}
	lost.Store(nil)
	if got, _ := pull(t, reg, tag).Digest(); got != digestOf(t, second) {
		t.Errorf("the tag is %s", got)
	}
}

func digestOf(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// TestPushThatEndsEarly: when the image never comes, what runs in the background ends.
func TestPushThatEndsEarly(t *testing.T) {
	held := make(chan struct{})
	reg := newRegistry(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			select { // what is being sent hangs until the client gives up
			case <-r.Context().Done():
			case <-held:
			}
			panic(http.ErrAbortHandler)
		}
		return false
	})
	defer close(held)
	img, _ := Image(t, Cache(t), false)
	p := begin(t, reg, reg.host+"/app:v1")
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	p.Offer(t.Context(), layers...)
	p.Close() // goleak sees what is left
	if n := reg.count("PUT"); n != 0 {
		t.Errorf("%d uploads or manifests were completed", n)
	}
}

// TestAnotherTagOfARepository: what went to it last tells what it has, although the new tag leads nowhere.
func TestAnotherTagOfARepository(t *testing.T) {
	reg, cache := newRegistry(t, nil), Cache(t)
	for n, seed := range []string{"1", "2"} {
		img, _ := edited(t, cache, seed)
		tag := reg.host + "/app:v" + seed
		reg.forget()
		if _, err := (layer.Registry{Transport: reg.transport, Cache: cache}).Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, tag)}, progress.Discard); err != nil {
			t.Fatal(err)
		}
		if asked := reg.count("HEAD /v2/app/blobs/"); n > 0 && asked != 2 {
			t.Errorf("%d blobs were asked for, want the new layer and the config: %q", asked, reg.requests)
		}
		if err := validate.Image(pull(t, reg, tag)); err != nil {
			t.Error(err)
		}
	}
}

// TestOurLayersAreMounted: a layer that another repository of the registry got before is mounted from there.
func TestOurLayersAreMounted(t *testing.T) {
	cache := Cache(t)
	var mounts atomic.Int64
	reg := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		// The registry of go-containerregistry shows every blob in every repository.
		if !strings.HasPrefix(r.URL.Path, "/v2/team/b/blobs/") {
			return false
		}
		switch q := r.URL.Query(); {
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost && q.Get("mount") != "" && q.Get("from") == "team/a":
			mounts.Add(1)
			w.WriteHeader(http.StatusCreated)
		default:
			return false
		}
		return true
	})
	img, _ := Image(t, cache, false)
	deliver := func(repo string, cache *cas.Store) layer.Delivered {
		t.Helper()
		mounts.Store(0)
		got, err := layer.Registry{Transport: reg.transport, Cache: cache}.Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, reg.host+"/"+repo+":v1")}, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	deliver("team/a", cache)
	if got := deliver("team/b", cache); mounts.Load() != 2 || got.Skipped.Blobs != 2 || got.Sent.Blobs != 3 {
		t.Errorf("%d mounted, sent %+v, skipped %+v: want our two mounted, and two of the base and the config sent", mounts.Load(), got.Sent, got.Skipped)
	}
	// Now the other has them too.
	if deliver("team/b", nil); mounts.Load() != 0 {
		t.Errorf("%d mounted without a memory of where", mounts.Load())
	}
}

// TestBaseInTheSameRepository: its manifest tells that all of its layers are there.
func TestBaseInTheSameRepository(t *testing.T) {
	reg := newRegistry(t, nil)
	ref := names(t, reg.host+"/app:base")[0]
	if err := remote.Write(ref, Base(t, false), remote.WithTransport(reg.transport)); err != nil {
		t.Fatal(err)
	}
	base, err := remote.Image(ref, remote.WithTransport(reg.transport))
	if err != nil {
		t.Fatal(err)
	}
	img, err := layer.Image(base, layer.BaseInfo{}, []*layer.Layer{build(t, Cache(t), Project())}, Config())
	if err != nil {
		t.Fatal(err)
	}
	reg.forget()
	if _, err := (layer.Registry{Transport: reg.transport}).Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, reg.host+"/app:v1")}, progress.Discard); err != nil {
		t.Fatal(err)
	}
	if asked := reg.count("HEAD /v2/app/blobs/"); asked != 2 {
		t.Errorf("%d blobs were asked for, want our layer and the config: %q", asked, reg.requests)
	}
}

// TestWhoIsNotLetInKnocksOnce: layers that are offered to a registry that refuses are not each a failed login.
func TestWhoIsNotLetInKnocksOnce(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		reg := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
			if status == http.StatusForbidden && r.URL.Path == "/v2/" {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(status)
			return true
		})
		img, _ := Image(t, Cache(t), false)
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		p := begin(t, reg, reg.host+"/app:v1")
		p.Offer(t.Context(), layers...)
		time.Sleep(50 * time.Millisecond) // for what should not come
		if n := reg.count(""); n > 2 {
			t.Errorf("%d: requests %q", status, reg.requests)
		}
		_, err = p.Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, reg.host+"/app:v1")}, progress.Discard)
		p.Close()
		if fault.KindOf(err) != fault.Delivery {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestMountThatIsNotAllowed: a registry that gives no token for the repository where a layer went before still takes the layer.
func TestMountThatIsNotAllowed(t *testing.T) {
	refused := false
	reg := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			if strings.Contains(strings.Join(r.URL.Query()["scope"], " "), "repository:team/a:pull") && strings.Contains(strings.Join(r.URL.Query()["scope"], " "), "team/b") {
				refused = true
				w.WriteHeader(http.StatusForbidden)
			} else {
				_, _ = w.Write([]byte(`{"token":"t"}`))
			}
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/team/b/blobs/"):
			w.WriteHeader(http.StatusNotFound)
		default:
			return false
		}
		return true
	})
	cache := Cache(t)
	img, _ := Image(t, cache, false)
	for _, repo := range []string{"team/a", "team/b"} {
		if _, err := (layer.Registry{Transport: reg.transport, Cache: cache}).Deliver(t.Context(), layer.Artifact{Image: img, Names: names(t, reg.host+"/"+repo+":v1")}, progress.Discard); err != nil {
			t.Fatalf("%s: %v", repo, err)
		}
	}
	if !refused {
		t.Error("no token for the other repository was asked for")
	}
}
