package wheel

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/testwheel"
)

// FuzzIndex: what is accepted, the standard library reads as the same names with the same content.
func FuzzIndex(f *testing.F) {
	f.Add(testwheel.New("a", "1").File("a.py", "x = 1\n").Dir("b").Executable("b/c", "").Bytes())
	f.Add(testwheel.Archive("comment",
		testwheel.Member{Name: "a", Content: "x", Flags: 8}, testwheel.Member{Name: "a", Content: "x", Flags: 8},
		testwheel.Member{Name: "b", Content: "x", Method: testwheel.Store, Mode: 0o777 | os.ModeSymlink},
	))
	f.Add(testwheel.Archive("", testwheel.Member{Name: "z", Content: "content", Local: zip64(7, 9), Central: zip64(7, 9)}))
	f.Add(testwheel.Archive("", testwheel.Member{Name: "lib.so", Content: testwheel.ELF{Soname: "s"}.String()}))
	f.Add(overlapping())
	f.Fuzz(func(t *testing.T, archive []byte) {
		index, err := indexBytes(t, archive)
		if err != nil {
			return
		}
		peer, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil {
			t.Fatalf("archive/zip refuses it: %v", err)
		}
		theirs := map[string]string{}
		for _, file := range peer.File {
			if strings.HasSuffix(file.Name, "/") {
				continue
			}
			r, err := file.Open()
			if err != nil {
				t.Fatalf("%q: %v", file.Name, err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("%q: %v", file.Name, err)
			}
			if previous, twice := theirs[file.Name]; twice && previous != string(data) {
				t.Fatalf("%q is there twice", file.Name)
			}
			theirs[file.Name] = string(data)
		}
		if len(theirs) != len(index.Members) {
			t.Fatalf("archive/zip has %d files, the index %d", len(theirs), len(index.Members))
		}
		for i, m := range index.Members {
			data, ok := theirs[m.Name]
			if !ok || sha256.Sum256([]byte(data)) != m.SHA256 || int64(len(data)) != m.Size {
				t.Fatalf("%q differs (there: %t)", m.Name, ok)
			}
			if !filepath.IsLocal(m.Name) || i > 0 && index.Members[i-1].Name >= m.Name {
				t.Fatalf("%q is unsafe or out of order", m.Name)
			}
		}
	})
}

// FuzzDecodeIndex: what can be decoded is an index that survives being encoded.
func FuzzDecodeIndex(f *testing.F) {
	f.Add((&Index{}).encode())
	f.Add((&Index{ArchiveSize: 1000, Members: []Info{
		{Name: "a", Executable: true, Deflated: true, Offset: 31, Compressed: 5, Size: 300, CRC32: 7, LastBlock: 3, End: 40},
		{Name: "b.so", ELF: &ELF{Machine: 62, Soname: "s", RunPath: []string{"$ORIGIN"}, Needed: []Library{{Name: "libc.so.6", Versions: []string{"GLIBC_2.17"}}}}},
	}}).encode())
	f.Fuzz(func(t *testing.T, record []byte) {
		index, err := decodeIndex(record)
		if err != nil {
			return
		}
		again, err := decodeIndex(index.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(index, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzReadELF: whatever the file says, the facts are strings as a loader would see them, and not endlessly many.
func FuzzReadELF(f *testing.F) {
	f.Add([]byte(testwheel.ELF{Machine: 62, Soname: "s", RunPath: "$ORIGIN", Needed: []testwheel.NeededLibrary{
		{Name: "libc.so.6", Versions: []string{"GLIBC_2.17", "GLIBC_2.4"}}, {Name: "libm.so.6", Versions: []string{"GLIBC_2.29"}},
	}}.String()))
	f.Add([]byte("\x7fELF\x01\x02 32-bit, big-endian"))
	// The same long name, and the same versions, again and again.
	said := testwheel.ELF{Machine: 62, Needed: slices.Repeat([]testwheel.NeededLibrary{
		{Name: "same", Versions: slices.Repeat([]string{strings.Repeat("v", 100)}, 20)},
	}, 20)}.String()
	f.Add([]byte(said))
	f.Fuzz(func(t *testing.T, file []byte) {
		facts := readELF(bytes.NewReader(file), int64(len(file)))
		if facts == nil {
			return
		}
		all := append([]string{facts.Soname}, facts.RunPath...)
		versions, length := 0, 0
		for _, lib := range facts.Needed {
			all = append(all, lib.Name)
			all = append(all, lib.Versions...)
			versions += len(lib.Versions)
		}
		for _, s := range all {
			length += len(s)
			if len(s) > maxString || strings.Contains(s, "\x00") || !bytes.Contains(file, []byte(s+"\x00")) && s != "" {
				t.Fatalf("fact %q", s)
			}
		}
		if versions > maxVersions*len(facts.Needed) || length > len(file) {
			t.Fatalf("%d versions, %d bytes of facts in a file of %d", versions, length, len(file))
		}
	})
}
