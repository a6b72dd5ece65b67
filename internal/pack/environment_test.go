package pack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/layer"
)

// packer packs into one layout, as one program that is named, with one cache.
type packer struct {
	cache, dir, base, layout, program string
	compression                       string
	created                           int64
}

func (p packer) pack(t *testing.T) (*Result, error) {
	t.Helper()
	s, err := OpenSources(t.Context(), SourceOptions{
		CacheDir: p.cache, Network: config.Network{ReadTimeout: 10 * time.Second}, Reporter: progress.Discard, Program: p.program,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	project, err := ReadProject(p.dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	compression, err := layer.ParseCompression(p.compression)
	if err != nil {
		t.Fatal(err)
	}
	return Pack(t.Context(), s, Options{
		Project: project, Base: p.base, Arch: "amd64", Created: time.Unix(p.created, 0), Compression: compression,
		Deliveries: Deliveries{Outputs: []layer.Output{{Form: layer.FormLayout, Path: p.layout}}},
	})
}

func (p packer) mustPack(t *testing.T) *Result {
	t.Helper()
	r, err := p.pack(t)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// loseWheels removes all wheels from the cache, and what it has compressed.
func (p packer) loseWheels(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"wheels-v*", "segment-*"} {
		found, err := filepath.Glob(filepath.Join(p.cache, kind))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", kind, found, err)
		}
		for _, dir := range found {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestKnownEnvironmentNeedsNoWheels: what was packed once is packed again, and with other files of the project, without its
// wheels; a destination that lacks the layers gets them all the same.
func TestKnownEnvironmentNeedsNoWheels(t *testing.T) {
	p := packer{cache: t.TempDir(), base: fakeBase(t), layout: filepath.Join(t.TempDir(), "image"), program: "this"}
	p.dir = demo(t, t.TempDir(), "[tool.vpk]\ncmd = [\"alpha\"]\n")
	first := p.mustPack(t)
	p.loseWheels(t)
	again := p.mustPack(t)
	ignored := cmpopts.IgnoreFields(Result{}, "Steps", "Seconds")
	cached := func(r Result) Result {
		for i := range r.Packages {
			r.Packages[i].Cached = true
		}
		for i := range r.Layers {
			r.Layers[i].Cached = true
		}
		return r
	}
	if diff := cmp.Diff(cached(*first), *again, ignored); diff != "" {
		t.Errorf("packed again -first +again:\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "app.py"), []byte("print('changed')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed := p.mustPack(t)
	if changed.Digest == first.Digest || changed.Layers[0].Digest != first.Layers[0].Digest {
		t.Errorf("layers before %v, after %v", first.Layers, changed.Layers)
	}
	if found, _ := filepath.Glob(filepath.Join(p.cache, "wheels-v*", "*", "*")); len(found) > 0 {
		t.Errorf("fetched %q", found)
	}

	p.layout = filepath.Join(t.TempDir(), "another")
	if elsewhere := p.mustPack(t); elsewhere.Digest != changed.Digest {
		t.Errorf("delivered elsewhere: %s, want %s", elsewhere.Digest, changed.Digest)
	}
}

// TestKnownEnvironmentIsTheRightOne: with all that was packed before at hand, everything comes out as with nothing at hand.
func TestKnownEnvironmentIsTheRightOne(t *testing.T) {
	warm := packer{cache: t.TempDir(), base: fakeBase(t), program: "this"}
	seen := map[string]string{}
	for name, change := range map[string]func(p *packer) (extra string){
		"nothing":     func(*packer) string { return "" },
		"owner":       func(*packer) string { return "[tool.vpk]\nowner = \"1:2\"\n" },
		"layers":      func(*packer) string { return "[tool.vpk]\nlayers = \"per-package\"\n" },
		"group":       func(*packer) string { return "[tool.vpk.layers]\nx = \"alpha\"\n" },
		"compression": func(p *packer) string { p.compression = "zstd"; return "" },
		"no compress": func(p *packer) string { p.compression = "none"; return "" },
		"command":     func(*packer) string { return "[tool.vpk]\ncmd = [\"alpha\"]\n" },
		"another":     func(*packer) string { return "[tool.vpk]\ncmd = [\"python\", \"app.py\"]\n" },
		"outside bin": func(*packer) string {
			return "[tool.vpk]\ncmd = [\"/app/.venv/lib/python3.11/site-packages/alpha/run\"]\n"
		},
		"time": func(p *packer) string { p.created = 1_700_000_000; return "" },
		"base": func(p *packer) string { p.base = fakeBase(t); return "[tool.vpk]\nuser = \"0\"\n" },
	} {
		p := warm
		dir := t.TempDir()
		p.dir = demo(t, dir, change(&p))
		p.layout = filepath.Join(t.TempDir(), "image")
		cold := p
		cold.cache, cold.layout, cold.program = t.TempDir(), filepath.Join(t.TempDir(), "image"), ""
		want, wantErr := cold.pack(t)
		for range 2 {
			got, err := p.pack(t)
			if wantErr != nil {
				if err == nil || err.Error() != wantErr.Error() || fault.KindOf(err) != fault.KindOf(wantErr) {
					t.Errorf("%s: %v, want %v", name, err, wantErr)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Digest != want.Digest {
				t.Errorf("%s: %s, with an empty cache %s", name, got.Digest, want.Digest)
			}
			if other, ok := seen[got.Digest]; ok && other != name {
				t.Errorf("%s and %s are one image", name, other)
			}
			seen[got.Digest] = name
		}
	}
}

// TestAnotherProgramBelievesNothing: what another build of vpk wrote down is not relied on.
func TestAnotherProgramBelievesNothing(t *testing.T) {
	p := packer{cache: t.TempDir(), base: fakeBase(t), layout: filepath.Join(t.TempDir(), "image"), program: "this"}
	p.dir = demo(t, t.TempDir(), "")
	p.mustPack(t)
	records, err := filepath.Glob(filepath.Join(p.cache, "environment-v*", "*", "*"))
	if err != nil || len(records) != 1 {
		t.Fatalf("%q, %v", records, err)
	}
	p.program = "that"
	p.mustPack(t)
	if records, _ = filepath.Glob(filepath.Join(p.cache, "environment-v*", "*", "*")); len(records) != 2 {
		t.Errorf("%q", records)
	}
	damaged := records[0]
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", strings.Replace(string(data), "sha256", "sha257", 1)} {
		if err := os.WriteFile(damaged, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		p.mustPack(t)
	}
}
