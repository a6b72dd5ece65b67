package pack

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/layer"
	"vpk/lockfile"
)

// rebuilding gives a function for ReproduceOptions that builds in this process, after what before does.
func rebuilding(t *testing.T, s *Sources, dir, base string, before func(c Conditions)) func(context.Context, Conditions, string) (*Build, error) {
	t.Helper()
	return func(ctx context.Context, c Conditions, scratch string) (*Build, error) {
		before(c)
		p, err := ReadProject(dir, nil, false)
		if err != nil {
			return nil, err
		}
		return Rebuild(ctx, s, Options{Project: p, Base: base, Arch: "amd64", Created: time.Unix(0, 0)}, c, scratch)
	}
}

func TestReproduce(t *testing.T) {
	dir, base := demo(t, t.TempDir(), ""), fakeBase(t)
	cache := filepath.Join(dir, ".cache") // which must not be packed, nor what the builds leave in it
	s := sources(t, cache)
	var names []string
	r, err := Reproduce(t.Context(), s, ReproduceOptions{Arch: "amd64", Build: rebuilding(t, s, dir, base, func(c Conditions) { names = append(names, c.Name) })})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Reproducible || r.Difference != nil || len(r.Builds) != 2 || r.Builds[0].Digest != r.Digest || r.Builds[1].Digest != r.Digest {
		t.Errorf("report %+v", r)
	}
	if d := cmp.Diff([]string{"as here", "as elsewhere"}, names); d != "" {
		t.Error(d)
	}
	if packed := packed(t, cache, dir, base, time.Unix(0, 0)); packed.Digest != r.Digest {
		t.Errorf("packed %s, reproduced %s", packed.Digest, r.Digest)
	}
	entries, err := os.ReadDir(filepath.Join(cache, "tmp"))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// Nothing that was derived before is used: a layer in the cache that is wrong does not come back.
func TestReproduceIsCold(t *testing.T) {
	dir, base, cache := demo(t, t.TempDir(), ""), fakeBase(t), t.TempDir()
	want := packed(t, cache, dir, base, time.Unix(0, 0))
	kinds, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		switch name := kind.Name(); {
		case strings.HasPrefix(name, "wheels-"), strings.HasPrefix(name, "wheel-aliases-"), name == "tmp", name == "locks":
		default:
			if err := os.RemoveAll(filepath.Join(cache, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cache, name), nil, 0o644); err != nil { // no entry can be read or written
				t.Fatal(err)
			}
		}
	}
	s := sources(t, cache)
	r, err := Reproduce(t.Context(), s, ReproduceOptions{Arch: "amd64", Build: rebuilding(t, s, dir, base, func(Conditions) {})})
	if err != nil || r.Digest != want.Digest {
		t.Errorf("%+v, %v; want %s", r, err, want.Digest)
	}
}

func TestReproduceFindsTheDifference(t *testing.T) {
	dir, base := demo(t, t.TempDir(), ""), fakeBase(t)
	s := sources(t, t.TempDir())
	r, err := Reproduce(t.Context(), s, ReproduceOptions{Arch: "amd64", Build: rebuilding(t, s, dir, base, func(c Conditions) {
		if c.Backwards {
			if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte("print('APP')\n"), 0o644); err != nil {
				t.Error(err)
			}
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	if r.Reproducible || r.Difference == nil || len(r.Difference.Layers) != 1 || r.Difference.Layers[0].Entries[0].Path != "app/app.py" ||
		r.Difference.A.Digest != r.Builds[0].Digest || r.Difference.B.Digest != r.Builds[1].Digest {
		t.Errorf("report %+v", r)
	}
}

func TestAgainst(t *testing.T) {
	dir, base, out := demo(t, t.TempDir(), ""), fakeBase(t), filepath.Join(t.TempDir(), "image")
	s := sources(t, t.TempDir())
	p, err := ReadProject(dir, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	made := Options{Project: p, Base: base, Arch: "amd64", Created: time.Unix(1_700_000_000, 0), Selection: Selection{Request: lockfile.Request{NoInstall: []string{"Beta_Pkg"}}}}
	built, err := Rebuild(t.Context(), s, made, Conditions{}, filepath.Dir(out))
	if err != nil {
		t.Fatal(err)
	}
	against := func(change func(o *AgainstOptions)) *Reproduction {
		t.Helper()
		o := AgainstOptions{Image: out, Pack: Options{Project: p, Base: base, Arch: "amd64", Sandbox: "auto", Bytecode: true}}
		change(&o)
		r, err := Against(t.Context(), s, o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := against(func(*AgainstOptions) {})
	if !r.Reproducible || r.Digest != built.Digest || len(r.Builds) != 1 || r.Builds[0].Digest != r.Digest {
		t.Errorf("report %+v", r)
	}
	var what []string
	for _, c := range r.Against {
		what = append(what, c.What)
		if c.Image != c.Here || c.Image == "" {
			t.Errorf("%s: %q, here %q", c.What, c.Image, c.Here)
		}
	}
	if d := cmp.Diff([]string{"base", "selection", "format", "options"}, what); d != "" {
		t.Error(d)
	}
	r = against(func(o *AgainstOptions) { o.OwnSelection = true })
	if r.Reproducible || r.Difference == nil || r.Against[1].Image == r.Against[1].Here || r.Against[3].Image == r.Against[3].Here {
		t.Errorf("another selection: %+v", r)
	}
	for name, labels := range map[string]map[string]string{
		"no labels":      nil,
		"an old image":   {labelSelection: "sha256:1"},
		"unknown option": {labelSelection: "sha256:1", labelFormat: "1", labelOptions: `{"compress":"lz4"}`},
		"no JSON":        {labelSelection: "sha256:1", labelFormat: "1", labelOptions: "x"},
	} {
		o := AgainstOptions{Image: out}
		if err := o.follow(&v1.ConfigFile{Config: v1.Config{Labels: labels}}); fault.KindOf(err) == fault.Other {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every word that shapes an image is in its recipe, and comes back from it.
func TestRecipe(t *testing.T) {
	empty, err := json.Marshal(Options{Bytecode: true}.recipe())
	if err != nil || string(empty) != "{}" {
		t.Errorf("the default is %s, %v", empty, err)
	}
	request := reflect.TypeFor[lockfile.Request]()
	// These come from the project's files, which are in the image.
	files := map[string]bool{"DefaultGroups": true, "RootGroups": true, "GroupPython": true, "Project": true}
	for i := range request.NumField() {
		field := request.Field(i)
		if files[field.Name] {
			continue
		}
		o := Options{Bytecode: true}
		value := reflect.ValueOf(&o.Selection.Request).Elem().Field(i)
		switch value.Kind() {
		case reflect.Bool:
			value.SetBool(true)
		case reflect.Slice:
			value.Set(reflect.ValueOf([]string{"b", "A.a", "b"}))
		default:
			t.Fatalf("field %s is a %s", field.Name, value.Kind())
		}
		label, err := json.Marshal(o.recipe())
		if err != nil || string(label) == "{}" {
			t.Errorf("%s is not in the recipe: %s, %v", field.Name, label, err)
			continue
		}
		r, err := readRecipe(string(label))
		if err != nil {
			t.Fatal(err)
		}
		again := Options{Bytecode: true}
		again.Selection.Dev = true // to be replaced
		r.choose(&again)
		if d := cmp.Diff(o.recipe(), again.recipe()); d != "" {
			t.Errorf("%s: %s", field.Name, d)
		}
	}
	zstd, err := layer.ParseCompression("zstd:7")
	if err != nil {
		t.Fatal(err)
	}
	if r := (Options{Compression: zstd}).recipe(); r.Compression != "zstd:7" {
		t.Errorf("compression %q", r.Compression)
	}
	dev, group := Options{}, Options{}
	dev.Selection.Dev, group.Selection.Groups = true, []string{"DEV"}
	if d := cmp.Diff(dev.recipe(), group.recipe()); d != "" {
		t.Errorf("--dev is not --group dev: %s", d)
	}
}
