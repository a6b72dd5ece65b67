package base

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"vpk/internal/cas"
	"vpk/internal/cas/castest"
	"vpk/layer/base/basetest"
)

func TestVerify(t *testing.T) {
	r, cache := newTestRegistry(t), newStore(t)
	r.push(t, "python:3", basetest.PythonImage(t, bookworm))
	img := mustOpen(t, r.host()+"/python:3", Options{Cache: cache, Transport: client(t), Boot: "boot"})
	root, err := img.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settle(t, img, root)
	seen := castest.Verify(t, cache, Kinds(), img.Facts.Stdlib+"/os.py")
	archive := newStore(t)
	plain := tarDir(t, writeLayout(t, []string{""}, []mutate.Appendable{basetest.PythonImage(t, bookworm)}))
	mustOpen(t, "oci-archive:"+writeTemp(t, "x.tar.gz", gzipBytes(t, plain)), Options{Cache: archive})
	maps.Copy(seen, castest.Verify(t, archive, Kinds(), ""))
	if len(seen) != len(Kinds()) {
		t.Errorf("kinds: %v", seen)
	}

	// What else may be wrong with a root.
	entries, err := cache.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, img.Facts.Interpreter)
	away := program + ".away"
	for name, spoil := range map[string]func() error{
		"file too many": func() error { return os.WriteFile(filepath.Join(root, "usr", "more"), nil, 0o644) },
		"other content": func() error { return os.WriteFile(program, []byte("no"), 0o755) },
		"link for file": func() error { return errors.Join(os.Rename(program, away), os.Symlink(away, program)) },
	} {
		if err := spoil(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, findings, err := cache.Verify(t.Context(), entries, Kinds(), func(int64) {})
		if err != nil || len(findings) != 1 || findings[0].Kind != kindRoot.Name || !errors.Is(findings[0].Err, cas.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, findings, err)
		}
		if err := cache.Remove(kindRoot, img.Digest.Hex); err != nil {
			t.Fatal(err)
		}
		if _, err := img.Root(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Without its index nothing can be said of a root.
	if err := cache.Remove(kindFiles, img.Digest.Hex); err != nil {
		t.Fatal(err)
	}
	if entries, err = cache.Entries(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, findings, err := cache.Verify(t.Context(), entries, Kinds(), func(int64) {})
	if err != nil || len(findings) != 1 || !errors.Is(findings[0].Err, cas.ErrUnknown) {
		t.Errorf("without an index: %v, %v", findings, err)
	}
}
