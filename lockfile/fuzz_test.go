package lockfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/tomlpos"
	"vpk/wheel/tag"
)

// FuzzParse wants every input to be read or refused as a lock, and what is read to be selectable, or not, in the same way
// each time, with each package reached from the root; and the lock to be the same when it is written by another hand, with
// its packages in another order. The seeds are large: fuzz with -fuzzminimizetime 1x.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fullLock()))
	f.Add([]byte(expandLock(checkedLock)))
	f.Add([]byte("version = 1\nrequires-python = \"\"\n[[distribution]]\nname = \"a\"\nsource.virtual = \".\"\n"))
	for seed := range 3 {
		f.Add([]byte(projects.Example(seed).toml(nil)))
	}
	files, err := filepath.Glob("testdata/select/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		s := loadScenario(f, file)
		data, err := os.ReadFile(filepath.Join(s.dir, "uv.lock"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	target := testTarget("3.11", tag.X8664)
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, err := lockfile.Parse(data, "uv.lock")
		if err != nil {
			if fault.KindOf(err) != fault.Lock {
				t.Fatalf("kind %d of %v", fault.KindOf(err), err)
			}
			return
		}
		rewritten := rewrite(t, data)
		for _, r := range []lockfile.Request{{}, {AllExtras: true, AllGroups: true}, {OnlyDev: true, NoInstall: []string{"a"}}, {AllPackages: true}} {
			s, err := lockfile.Select(lock, target, r)
			if err != nil {
				continue
			}
			checkRanks(t, s)
			if rewritten != nil && lock.Conflicts == nil {
				if same, err := lockfile.Select(rewritten, target, r); err != nil || same.Digest() != s.Digest() {
					t.Fatalf("selected %s, and in another order %v, %v", s.Digest(), same, err)
				}
			}
			again, err := lockfile.Select(lock, target, r)
			if err != nil || again.Digest() != s.Digest() {
				t.Fatalf("selected twice: %s and then %v, %v", s.Digest(), again, err)
			}
			for i, p := range s.Packages {
				if p.Wheel == nil || len(p.RequiredBy) == 0 && !slices.Contains(s.Roots, p.Package) || (p.URL == "") == (p.Path == "") {
					t.Fatalf("%s: wheel %v at %q or %q, required by %q", p.Package, p.Wheel, p.URL, p.Path, p.RequiredBy)
				}
				if i > 0 && s.Packages[i-1].Package.Name >= p.Package.Name {
					t.Fatalf("%s comes after %s", p.Package, s.Packages[i-1].Package)
				}
			}
		}
	})
}

// rewrite reads a lock, which can be read, as another writer of TOML writes it, its packages the other way round. It is nil for
// keys with capitals: go-toml takes them for the keys they resemble.
func rewrite(t *testing.T, data []byte) *lockfile.Lock {
	document := map[string]any{}
	if err := toml.Unmarshal(tomlpos.Text(data), &document); err != nil {
		return nil // for values that a lock does not have, go-toml is lenient
	}
	for _, s := range spots(document) {
		if strings.ToLower(s.key) != s.key {
			return nil
		}
	}
	write := func() *lockfile.Lock {
		text, err := toml.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := lockfile.Parse(text, "uv.lock")
		if err != nil {
			t.Fatalf("rewritten: %v\n%s", err, text)
		}
		return lock
	}
	lock, err := lockfile.Parse(data, "uv.lock")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock, write(), sameLock); diff != "" {
		t.Fatalf("rewritten:\n%s", diff)
	}
	for _, key := range []string{"package", "distribution"} {
		if list, ok := document[key].([]any); ok {
			slices.Reverse(list)
		}
	}
	return write()
}

// sameLock compares locks by what they say: the packages that edges lead to by their identity.
var sameLock = cmp.Options{
	cmpopts.IgnoreUnexported(lockfile.Lock{}),
	cmp.Comparer(func(a, b pep440.Version) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b pep440.Specifiers) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b pep508.Marker) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b lockfile.Dependency) bool {
		return a.Package.Name == b.Package.Name && a.Package.Version.String() == b.Package.Version.String() && a.Package.Source == b.Package.Source &&
			slices.Equal(a.Extras, b.Extras) && a.Marker.String() == b.Marker.String()
	}),
}
