package wheel

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"
	"golang.org/x/sync/semaphore"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
)

// indexBytes runs the pass over an archive in memory.
func indexBytes(t testing.TB, archive []byte) (*Index, error) {
	t.Helper()
	dir := t.TempDir()
	pass := indexing{
		archive: bytes.NewReader(archive), size: int64(len(archive)), slots: semaphore.NewWeighted(2),
		scratch: func() (*os.File, error) { return os.CreateTemp(dir, "") },
	}
	index, err := pass.run(t.Context())
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("scratch files are left: %v", left)
	}
	return index, err
}

func mustIndex(t testing.TB, archive []byte) *Index {
	t.Helper()
	index, err := indexBytes(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// text is compressible and of any length.
func text(n int) string {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	words := strings.Fields("def return import from class self None True for in if else yield lambda async await")
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%s_%d ", words[random.IntN(len(words))], random.IntN(10_000))
	}
	return b.String()[:n]
}

func TestIndexOfAGoodArchive(t *testing.T) {
	large := text(300_000)
	archive := testwheel.Archive("a comment",
		testwheel.Member{Name: "z.py", Content: "last = 1\n"},
		testwheel.Member{Name: "pkg/", Method: testwheel.Store, Mode: 0o755 | os.ModeDir},
		testwheel.Member{Name: "pkg/tool", Content: "#!/bin/sh\n", Mode: 0o755},
		testwheel.Member{Name: "pkg/read-only", Content: "ro", Mode: 0o400},
		testwheel.Member{Name: "pkg/link", Content: "tool", Method: testwheel.Store, Mode: 0o777 | os.ModeSymlink},
		testwheel.Member{Name: "pkg/stored", Content: large, Method: testwheel.Store},
		testwheel.Member{Name: "pkg/large.py", Content: large},
		testwheel.Member{Name: "pkg/empty", Content: ""},
		testwheel.Member{Name: "pkg/streamed", Content: "streamed", Flags: 8},
		testwheel.Member{Name: "pkg/ünïcödé.py", Content: "u"},
		testwheel.Member{Name: "z.py", Content: "last = 1\n", Method: testwheel.Store},
	)
	index := mustIndex(t, append(archive, 0, 0, 0))
	type row struct {
		Name       string
		Executable bool
		Size       int64
	}
	var got []row
	for _, m := range index.Members {
		got = append(got, row{m.Name, m.Executable, m.Size})
	}
	want := []row{
		{"pkg/empty", false, 0}, {"pkg/large.py", false, 300_000}, {"pkg/link", true, 4}, {"pkg/read-only", false, 2},
		{"pkg/stored", false, 300_000}, {"pkg/streamed", false, 8}, {"pkg/tool", true, 10}, {"pkg/ünïcödé.py", false, 1}, {"z.py", false, 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if index.ArchiveSize != int64(len(archive)+3) {
		t.Errorf("ArchiveSize = %d", index.ArchiveSize)
	}
	for _, m := range index.Members {
		if m.Name == "pkg/large.py" || m.Name == "pkg/stored" {
			if m.SHA256 != sha256.Sum256([]byte(large)) || m.Deflated != (m.Name == "pkg/large.py") {
				t.Errorf("facts of %s: %+v", m.Name, m)
			}
			raw := archive[m.Offset : m.Offset+m.Compressed]
			want := []byte(large)
			if m.Deflated {
				want = testwheel.Compress(large)
			}
			if !bytes.Equal(raw, want) {
				t.Errorf("%s: offset and size do not find the data", m.Name)
			}
		}
	}
}

// zip64 gives a member's header zip64 sizes.
func zip64(sizes ...uint64) func(*testwheel.Header) {
	return func(h *testwheel.Header) {
		h.Extra = append(h.Extra, 1, 0, byte(8*len(sizes)), 0)
		for _, v := range sizes {
			for i := range 8 {
				h.Extra = append(h.Extra, byte(v>>(8*i)))
			}
		}
		h.Size, h.CompressedSize = full32, full32
	}
}

func TestIndexReadsZip64Sizes(t *testing.T) {
	content := "content"
	n := uint64(len(testwheel.Compress(content)))
	for name, m := range map[string]testwheel.Member{
		"local":     {Local: zip64(7, n)},
		"both":      {Local: zip64(7, n), Central: zip64(7, n)},
		"local end": {Local: zip64(0, 0), Flags: 8},
	} {
		m.Name, m.Content = "a", content
		index, err := indexBytes(t, testwheel.Archive("", m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if index.Members[0].Size != 7 {
			t.Errorf("%s: %+v", name, index.Members[0])
		}
	}
}

// TestSplice does with the recorded bits what they are for: it makes the last block an ordinary one, aligns the stream,
// and puts another behind it.
func TestSplice(t *testing.T) {
	seen := map[int64]bool{}
	for n := spliceFrom; n < spliceFrom+60; n++ {
		content := text(n)
		if n%2 == 0 {
			content = strings.Repeat(content, 12) // several blocks
		}
		archive := testwheel.Archive("", testwheel.Member{Name: "a", Content: content})
		m := mustIndex(t, archive).Members[0]
		if m.End == 0 {
			t.Fatal("the end is not known")
		}
		seen[m.End%8] = true
		raw := bytes.Clone(archive[m.Offset : m.Offset+m.Compressed])
		raw[m.LastBlock/8] &^= 1 << (m.LastBlock % 8)
		if free := (8 - m.End%8) % 8; free >= 3 {
			raw = append(raw, 0, 0, 0xff, 0xff)
		} else {
			raw = append(raw, 0, 0, 0, 0xff, 0xff)
		}
		raw = append(raw, testwheel.Compress("and more")...)
		got, err := io.ReadAll(flate.NewReader(bytes.NewReader(raw)))
		if err != nil || string(got) != content+"and more" {
			t.Fatalf("size %d: %d bytes of %d, %v", n, len(got), len(content)+8, err)
		}
	}
	if len(seen) < 8 {
		t.Errorf("only these ends in the last byte occurred: %v", seen)
	}
}

func TestNoSpliceWithBytesAfterTheLastBlock(t *testing.T) {
	content := text(50_000)
	m := mustIndex(t, testwheel.Archive("", testwheel.Member{
		Name: "a", Content: content, Raw: append(testwheel.Compress(content), 0),
	})).Members[0]
	if m.End != 0 || m.LastBlock != 0 {
		t.Errorf("positions are given: %d, %d", m.LastBlock, m.End)
	}
	if small := mustIndex(t, testwheel.Archive("", testwheel.Member{Name: "a", Content: "x"})).Members[0]; small.End != 0 {
		t.Error("positions of a small member are given")
	}
}

func TestELFFacts(t *testing.T) {
	const x8664 = 62
	lib := testwheel.ELF{
		Machine: x8664, Soname: "libx.so.1", RunPath: "$ORIGIN/../x.libs",
		Needed: []testwheel.NeededLibrary{
			{Name: "libz.so.1"}, {Name: "libc.so.6", Versions: []string{"GLIBC_2.34", "GLIBC_2.2.5"}},
			{Name: "libm.so.6", Versions: []string{"GLIBC_2.29"}},
		},
	}
	index := mustIndex(t, testwheel.New("x", "1").File("x.so", lib.String()).File("fake.so", "\x7fELF is not enough").Bytes())
	got := map[string]*ELF{}
	for _, m := range index.Members {
		if strings.HasSuffix(m.Name, ".so") {
			got[m.Name] = m.ELF
		}
	}
	want := map[string]*ELF{"fake.so": nil, "x.so": {
		Machine: x8664, Soname: "libx.so.1", RunPath: []string{"$ORIGIN/../x.libs"},
		Needed: []Library{
			{Name: "libz.so.1"}, {Name: "libc.so.6", Versions: []string{"GLIBC_2.2.5", "GLIBC_2.34"}}, {Name: "libm.so.6", Versions: []string{"GLIBC_2.29"}},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestManyProblemsAreNamedAtOnce(t *testing.T) {
	var members []testwheel.Member
	for i := range 30 {
		members = append(members, testwheel.Member{Name: fmt.Sprintf("../%02d", 29-i)})
	}
	_, err := indexBytes(t, testwheel.Archive("", members...))
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxProblems+1 || !strings.HasPrefix(lines[0], `member "../00": `) || lines[maxProblems] != "and 10 more members" {
		t.Errorf("err = %v", err)
	}
}

func TestIndexOfADiskThatFails(t *testing.T) {
	archive := testwheel.Archive("", testwheel.Member{Name: "a", Content: text(400_000), Method: testwheel.Store})
	broken := errors.New("input/output error")
	for _, bad := range []int64{0, 1000} { // the local header, the content
		pass := indexing{archive: failingReader{archive, bad, broken}, size: int64(len(archive)), slots: semaphore.NewWeighted(1)}
		_, err := pass.run(t.Context())
		if !errors.Is(err, broken) || fault.KindOf(err) == fault.Integrity {
			t.Errorf("from %d: err = %v (kind %d)", bad, err, fault.KindOf(err))
		}
	}
}

// failingReader cannot read from one place on, except in the second half.
type failingReader struct {
	data []byte
	bad  int64
	err  error
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.bad && off < int64(len(r.data))/2 {
		return 0, r.err
	}
	return bytes.NewReader(r.data).ReadAt(p, off)
}
