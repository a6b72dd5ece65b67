package layer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

func TestSecondPushSendsNothing(t *testing.T) {
	reg := newRegistry(t, nil)
	img, _ := Image(t, Cache(t), false)
	push := func(tag string) layer.Delivered {
		t.Helper()
		reg.forget()
		got, err := layer.Deliver(t.Context(), layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, reg.host+"/"+tag)}, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	m, _ := img.Manifest()
	var bytes int64
	for i, l := range m.Layers {
		if i != 2 { // the base's layer that comes twice
			bytes += l.Size
		}
	}
	bytes += m.Config.Size
	whole := layer.Amount{Blobs: 5, Bytes: bytes}

	first := push("app:v1")
	if first.Sent != whole || first.Skipped != (layer.Amount{}) {
		t.Errorf("first push sent %+v, skipped %+v, want %+v and nothing", first.Sent, first.Skipped, whole)
	}
	if n := reg.count("PATCH"); n != 5 {
		t.Errorf("first push made %d uploads, want 5", n)
	}
	if digest, _ := img.Digest(); first.Target != reg.host+"/app@"+digest.String() {
		t.Errorf("target %s", first.Target)
	}

	again := push("app:v1")
	if again.Skipped != whole || again.Sent != (layer.Amount{}) {
		t.Errorf("second push sent %+v, skipped %+v", again.Sent, again.Skipped)
	}
	if n := reg.count("POST") + reg.count("PATCH") + reg.count("PUT"); n != 0 {
		t.Errorf("second push wrote: %q", reg.requests)
	}

	other := push("app:v2")
	if other.Skipped != whole || reg.count("POST")+reg.count("PATCH") != 0 || reg.count("PUT") != 1 {
		t.Errorf("another tag: skipped %+v, requests %q", other.Skipped, reg.requests)
	}
}

// TestUnchangedBlobsAreNotOpened: with the layers known to the registry, not even the cache needs what they are made of.
func TestUnchangedBlobsAreNotOpened(t *testing.T) {
	reg := newRegistry(t, nil)
	cache := Cache(t)
	img, _ := Image(t, cache, false)
	deliver := func(tag string) error {
		_, err := layer.Deliver(t.Context(), layer.Registry{Transport: reg.transport}, layer.Artifact{Image: img, Names: names(t, reg.host+"/"+tag)}, progress.Discard)
		return err
	}
	if err := deliver("app:v1"); err != nil {
		t.Fatal(err)
	}
	loseSegments(t, cache)
	if err := deliver("app:v2"); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(names(t, reg.host+"/app:v2")[0], remote.WithTransport(reg.transport)); err != nil {
		t.Error(err)
	}
}

// TestLayersOfTheBaseAreMounted: the base is in another repository of the same registry, which does not show one
// repository's blobs to another.
func TestLayersOfTheBaseAreMounted(t *testing.T) {
	mounted := map[string]bool{}
	reg := newRegistry(t, nil)
	picky := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v2/team/app/blobs/") {
			return false
		}
		if digest := r.URL.Query().Get("mount"); r.Method == http.MethodPost && digest != "" {
			mounted[digest+" from "+r.URL.Query().Get("from")] = true
			w.WriteHeader(http.StatusCreated)
			return true
		}
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	for _, from := range []*testRegistry{picky, reg} {
		clear(mounted)
		ref := names(t, from.host+"/base:latest")[0]
		if err := remote.Write(ref, Base(t, true), remote.WithTransport(from.transport)); err != nil {
			t.Fatal(err)
		}
		base, err := remote.Image(ref, remote.WithTransport(from.transport))
		if err != nil {
			t.Fatal(err)
		}
		img, err := layer.Image(base, layer.BaseInfo{}, []*layer.Layer{build(t, Cache(t), Project())}, Config())
		if err != nil {
			t.Fatal(err)
		}
		from.forget()
		d := layer.Registry{Transport: picky.transport, Jobs: 1}
		tag := "v1"
		if from == reg {
			tag = "v2"
		}
		got, err := layer.Deliver(t.Context(), d, layer.Artifact{Image: img, Names: names(t, picky.host+"/team/app:"+tag)}, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if from == picky {
			if len(mounted) != 2 || got.Sent.Blobs != 2 || got.Skipped.Blobs != 2 || from.count("GET /v2/base") != 0 {
				t.Errorf("mounted %v, sent %+v, skipped %+v, requests %q", mounted, got.Sent, got.Skipped, from.requests)
			}
			continue
		}
		if len(mounted) != 0 || got.Sent.Blobs != 4 {
			t.Errorf("from another registry: mounted %v, sent %+v", mounted, got.Sent)
		}
	}
}

func TestPushFaults(t *testing.T) {
	img, _ := Image(t, Cache(t), false)
	refusing := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"not yours"}]}`, http.StatusForbidden)
			return true
		}
		return false
	})
	broken := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("Location", "/upload/1?signature=secret")
			w.WriteHeader(http.StatusAccepted)
			return true
		case r.Method == http.MethodPatch:
			panic(http.ErrAbortHandler)
		}
		return false
	})
	for name, c := range map[string]struct {
		tags []string
		kind fault.Kind
		hint string
	}{
		"no name":     {nil, fault.Usage, "-t REGISTRY/NAME:TAG"},
		"refused":     {[]string{refusing.host + "/app:v1"}, fault.Delivery, "docker login " + refusing.host},
		"unreachable": {[]string{"127.0.0.1:1/app:v1"}, fault.Delivery, `check the name "127.0.0.1:1", the network`},
		"aborted":     {[]string{broken.host + "/app:v1"}, fault.Delivery, "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			_, err := layer.Deliver(t.Context(), layer.Registry{Transport: transport, Keychain: authn.NewMultiKeychain()},
				layer.Artifact{Image: img, Names: names(t, c.tags...)}, progress.Discard)
			if fault.KindOf(err) != c.kind {
				t.Fatalf("kind %d, %v", fault.KindOf(err), err)
			}
			if hints := strings.Join(fault.Hints(err), "\n"); !strings.Contains(hints, c.hint) {
				t.Errorf("hints %q, want %q", hints, c.hint)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the message gives an upload's signature away: %v", err)
			}
			for _, tag := range c.tags {
				if !strings.Contains(err.Error(), tag) {
					t.Errorf("the message does not name %q: %v", tag, err)
				}
			}
		})
	}
}
