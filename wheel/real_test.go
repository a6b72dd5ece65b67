package wheel

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/cas"
	"vpk/internal/peer"
	"vpk/wheel/tag"
)

// realWheels are a pure one, one with a single extension module, and one with bundled libraries.
var realWheels = []string{"fastapi==0.136.1", "uvloop==0.22.1", "numpy==1.26.4"}

// openReal indexes a real wheel through a store.
func openReal(t testing.TB, path string) *Wheel {
	t.Helper()
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	name, err := tag.ParseFilename(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewStore(cache, nil, Options{}).Fetch(t.Context(), Ref{Filename: name, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// zipfileMembers prints what Python reads.
const zipfileMembers = `
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(json.dumps({
        i.filename: [i.file_size, hashlib.sha256(z.read(i)).hexdigest(), bool(i.external_attr >> 16 & 0o111)]
        for i in z.infolist() if not i.is_dir()
    }))
`

func TestMembersAgreeWithZipfile(t *testing.T) {
	python := peer.Python(t)
	for _, path := range peer.Wheels(t, realWheels...) {
		out := peer.Output(t, exec.CommandContext(t.Context(), python, "-c", zipfileMembers, path))
		var want, got map[string][]any
		if err := json.Unmarshal([]byte(out), &want); err != nil {
			t.Fatal(err)
		}
		got = map[string][]any{}
		for _, m := range openReal(t, path).Members() {
			got[m.Name()] = []any{float64(m.Size()), m.Digest().String(), m.Executable()}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: zipfile (-) and vpk (+) differ: %s", filepath.Base(path), diff)
		}
	}
}

// Every large member of a real wheel can be spliced: the positions are known.
func TestRealMembersHaveBlockPositions(t *testing.T) {
	for _, path := range peer.Wheels(t, realWheels...) {
		large := 0
		for _, m := range openReal(t, path).Members() {
			i := m.Info()
			if !i.Deflated || i.Size < spliceFrom {
				continue
			}
			large++
			if i.End == 0 || i.LastBlock >= i.End || (i.End+7)/8 != i.Compressed {
				t.Errorf("%s: last block at %d, end at %d of %d bytes", i.Name, i.LastBlock, i.End, i.Compressed)
			}
		}
		t.Logf("%s: %d large members", filepath.Base(path), large)
	}
}

func TestELFFactsAgreeWithTheStandardLibrary(t *testing.T) {
	path := peer.Wheels(t, realWheels[2])[0]
	seen, versioned := 0, 0
	for _, m := range openReal(t, path).Members() {
		if m.Info().ELF == nil {
			if strings.Contains(filepath.Base(m.Name()), ".so") {
				t.Errorf("%s: no facts", m.Name())
			}
			continue
		}
		seen++
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		file, err := inMemory(t, r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := standardFacts(file)
		if err != nil {
			t.Fatalf("%s: %v", m.Name(), err)
		}
		for _, lib := range want.Needed {
			versioned += len(lib.Versions)
		}
		if diff := cmp.Diff(want, m.Info().ELF); diff != "" {
			t.Errorf("%s: debug/elf (-) and vpk (+) differ: %s", m.Name(), diff)
		}
	}
	if seen == 0 || versioned == 0 {
		t.Errorf("%d ELF members, %d versions", seen, versioned)
	}
}

// standardFacts reads by sections what readELF reads by program headers.
func standardFacts(file *elf.File) (*ELF, error) {
	facts := &ELF{Machine: file.Machine}
	versions := map[string][]string{}
	if file.SectionByType(elf.SHT_GNU_VERNEED) != nil {
		needs, err := file.DynamicVersionNeeds()
		if err != nil {
			return nil, err
		}
		for _, n := range needs {
			for _, dep := range n.Needs {
				versions[n.Name] = append(versions[n.Name], dep.Dep)
			}
		}
	}
	dynamic := map[elf.DynTag][]string{}
	for _, tag := range []elf.DynTag{elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RUNPATH, elf.DT_RPATH} {
		s, err := file.DynString(tag)
		if err != nil {
			return nil, err
		}
		dynamic[tag] = s
	}
	for _, name := range dynamic[elf.DT_NEEDED] {
		slices.Sort(versions[name])
		facts.Needed = append(facts.Needed, Library{Name: name, Versions: versions[name]})
	}
	facts.Soname = strings.Join(dynamic[elf.DT_SONAME], "")
	if facts.RunPath = dynamic[elf.DT_RUNPATH]; len(facts.RunPath) == 0 {
		facts.RunPath = dynamic[elf.DT_RPATH]
	}
	return facts, nil
}

func inMemory(t *testing.T, r io.ReadCloser) (*elf.File, error) {
	t.Helper()
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return elf.NewFile(bytes.NewReader(data))
}
