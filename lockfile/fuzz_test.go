package lockfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/wheel/tag"
)

// FuzzParse wants every input to be read or refused as a lock, and what is read to be selectable, or not, in the same way
// each time, with each package reached from the root. The seeds are large: fuzz with -fuzzminimizetime 1x.
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
		for _, r := range []lockfile.Request{{}, {AllExtras: true, AllGroups: true}, {OnlyDev: true, NoInstall: []string{"a"}}, {AllPackages: true}} {
			s, err := lockfile.Select(lock, target, r)
			if err != nil {
				continue
			}
			checkRanks(t, s)
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
