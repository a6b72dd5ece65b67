package wheel

import (
	"os"
	"strings"
	"testing"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/transport"
)

func TestDamagedCacheIsMadeAgain(t *testing.T) {
	damage := func(change func(data []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, change(data), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	cut := damage(func(data []byte) []byte { return data[:len(data)-1] })
	flip := damage(func(data []byte) []byte { data[100] ^= 1; return data })
	type harm func(*testing.T, string)
	for name, tt := range map[string]struct {
		wheel, index harm
		requests     int
	}{
		"wheel cut off":                    {cut, nil, 2},
		"wheel removed":                    {remove, nil, 2},
		"record removed":                   {nil, remove, 1},
		"record damaged":                   {nil, flip, 1},
		"record removed, wheel damaged":    {flip, remove, 2},
		"record of another form, whole":    {nil, damage(func([]byte) []byte { return nil }), 1},
		"both removed":                     {remove, remove, 2},
		"record removed and wheel cut off": {cut, remove, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := newFixture(t, transport.Options{}), sample()
			ref := f.serve(t, b)
			check(t, mustFetch(t, f, ref), b)
			for kind, harm := range map[cas.Kind]harm{wheels: tt.wheel, indexes: tt.index} {
				if harm != nil {
					path, err := f.cache.Path(kind, ref.Hash.Hex)
					if err != nil {
						t.Fatal(err)
					}
					harm(t, path)
				}
			}
			check(t, mustFetch(t, f, ref), b)
			if n := len(f.server.Requests(b.Filename())); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// Bytes that change under a wheel of the right size are found by whoever reads them, and are gone for the next.
func TestDamagedMemberIsFoundAndDiscarded(t *testing.T) {
	for _, name := range []string{"sample/big.py", "sample/stored"} {
		f, b := newFixture(t, transport.Options{}), sample()
		ref := f.serve(t, b)
		w := mustFetch(t, f, ref)
		m, _ := w.Member(name)
		path, err := f.cache.Path(wheels, ref.Hash.Hex)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[m.Info().Offset+m.Info().Compressed/2] ^= 4
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = w.ReadFile(name, 1<<20)
		if fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), name) {
			t.Errorf("err = %v", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		again := mustFetch(t, f, ref)
		if again.Cached {
			t.Error("the damaged wheel is still there")
		}
		check(t, again, b)
	}
}
