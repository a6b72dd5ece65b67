package wheel

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"vpk/internal/cas"
	"vpk/internal/cas/castest"
	"vpk/internal/testwheel"
	"vpk/internal/transport"
)

func TestVerify(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	sum := sha512.Sum512(b.Bytes())
	ref.Hash = Hash{"sha512", hex.EncodeToString(sum[:])}
	mustFetch(t, f, ref)
	mustFetch(t, f, f.serve(t, testwheel.New("empty", "1.0").File("empty/__init__.py", "").File("empty/py.typed", "")))
	seen := castest.Verify(t, f.cache, Kinds(), "")
	if len(seen) != len(Kinds()) {
		t.Errorf("kinds: %v", seen)
	}

	// Records that are whole and say what is not so.
	index, err := f.readIndex(b.SHA256())
	if err != nil {
		t.Fatal(err)
	}
	good := index.encode()
	for name, spoil := range map[string]func(*Index){
		"size of the archive": func(x *Index) { x.ArchiveSize++ },
		"place":               func(x *Index) { x.Members[0].Offset++ },
		"size":                func(x *Index) { x.Members[0].Size++ },
		"checksum":            func(x *Index) { x.Members[0].CRC32++ },
		"name":                func(x *Index) { x.Members[0].Name = "!" + x.Members[0].Name },
		"member too few":      func(x *Index) { x.Members = x.Members[1:] },
	} {
		spoiled, err := decodeIndex(good)
		if err != nil {
			t.Fatal(err)
		}
		spoil(spoiled)
		if err := f.cache.PutRecord(indexes, b.SHA256(), spoiled.encode()); err != nil {
			t.Fatal(err)
		}
		if errs := findings(t, f.cache); len(errs) != 1 || !errors.Is(errs["wheel-indexes"], cas.ErrDamaged) {
			t.Errorf("%s: %v", name, errs)
		}
	}
	err = errors.Join(f.cache.PutRecord(indexes, b.SHA256(), good), f.cache.PutRecord(aliases, lockName(ref.Hash), []byte("elsewhere")))
	if err != nil {
		t.Fatal(err)
	}
	if errs := findings(t, f.cache); len(errs) != 1 || !errors.Is(errs["wheel-aliases"], cas.ErrDamaged) {
		t.Errorf("alias: %v", errs)
	}
}

// findings are what verify finds, by kind.
func findings(t *testing.T, cache *cas.Store) map[string]error {
	t.Helper()
	list, err := cache.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, found, err := cache.Verify(t.Context(), list, Kinds(), func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{}
	for _, f := range found {
		errs[f.Kind] = f.Err
	}
	return errs
}

func TestEntriesOfPackages(t *testing.T) {
	f := newFixture(t, transport.Options{})
	keys := map[string]string{}
	for _, name := range []string{"Zope.Interface", "alpha", "alpha_beta"} {
		b := testwheel.New(name, "1.0").File("x/"+name+".py", "")
		ref := f.serve(t, b)
		sum := sha512.Sum512(b.Bytes())
		ref.Hash = Hash{"sha512", hex.EncodeToString(sum[:])}
		mustFetch(t, f, ref)
		keys[name] = b.SHA256()
	}
	for _, c := range []struct {
		names []string
		want  []string
	}{{[]string{"alpha"}, []string{"alpha"}}, {[]string{"zope-interface", "alpha-beta"}, []string{"Zope.Interface", "alpha_beta"}}, {[]string{"x"}, nil}} {
		list, err := Entries(t.Context(), f.cache, c.names)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		count := map[string]int{}
		for _, e := range list {
			count[e.Kind]++
			if e.Kind == "wheels" {
				got = append(got, e.Key)
			}
		}
		for _, name := range c.want {
			want = append(want, keys[name])
		}
		slices.Sort(want)
		if n := len(want); !slices.Equal(got, want) || n > 0 && fmt.Sprint(count) != fmt.Sprintf("map[wheel-aliases:%d wheel-indexes:%d wheels:%d]", n, n, n) {
			t.Errorf("%q: %q, %v, want %q", c.names, got, count, want)
		}
	}
}
