// Package castest tries on a cache that a test has filled whether the rooms' kinds prove what they should.
package castest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vpk/internal/cas"
)

// Verify wants every entry of a cache to be proved, and to be found when a bit in its middle is another. Entries that are directories
// have inside the file to damage, by a pattern. It gives the kinds that the cache has.
func Verify(t *testing.T, cache *cas.Store, kinds []cas.Registration, inside string) map[string]bool {
	t.Helper()
	list, err := cache.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if checked, findings, err := cache.Verify(t.Context(), list, kinds, func(int64) {}); err != nil || checked != len(list) {
		t.Errorf("%d of %d entries are proved, %v, %v", checked, len(list), findings, err)
	}
	seen := map[string]bool{}
	for _, e := range list {
		seen[e.Kind] = true
		path, err := cache.Path(cas.Kind{Name: e.Kind, Version: e.Version}, e.Key)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, inside)
		}
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(good) == 0 {
			continue
		}
		bad := append([]byte(nil), good...)
		bad[len(bad)/2] ^= 1
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		_, findings, err := cache.Verify(t.Context(), []cas.Entry{e}, kinds, func(int64) {})
		if err != nil || len(findings) != 1 || !errors.Is(findings[0].Err, cas.ErrDamaged) {
			t.Errorf("%s with another bit: %v, %v", e, findings, err)
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return seen
}
