package wheel

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/blake2b"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/testwheel"
	"vpk/internal/transport"
	"vpk/wheel/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a store over an empty cache, and a server.
type fixture struct {
	*Store
	server *testwheel.Server
	notes  *recorder
}

func newFixture(t *testing.T, opts transport.Options) fixture {
	t.Helper()
	opts.RetryWait = time.Millisecond
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = 200 * time.Millisecond
	}
	client, err := transport.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	notes := &recorder{}
	// Whatever happens, nothing half-done remains.
	t.Cleanup(func() {
		if left, _ := os.ReadDir(filepath.Join(cache.Dir(), "tmp")); len(left) > 0 {
			t.Errorf("scratch files are left: %v", left)
		}
	})
	return fixture{NewStore(cache, client, Options{Progress: notes}), testwheel.NewServer(t), notes}
}

// recorder keeps what was said.
type recorder struct {
	progress.Reporter
	mu    sync.Mutex
	notes []string
	tasks map[string]int64 // bytes reported
}

func (r *recorder) Task(name string, total int64) progress.Task { return &recordedTask{r, name} }
func (r *recorder) Detail(string, ...any)                       {}

func (r *recorder) Note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

type recordedTask struct {
	r    *recorder
	name string
}

func (t *recordedTask) Add(n int64) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	if t.r.tasks == nil {
		t.r.tasks = map[string]int64{}
	}
	t.r.tasks[t.name] += n
}

func (t *recordedTask) Done() {}

// serve puts a wheel on the server.
func (f fixture) serve(t *testing.T, b *testwheel.Builder) Ref {
	t.Helper()
	ref := refOf(t, b)
	ref.URL = f.server.AddWheel(b)
	return ref
}

func refOf(t testing.TB, b *testwheel.Builder) Ref {
	t.Helper()
	name, err := tag.ParseFilename(b.Filename())
	if err != nil {
		t.Fatal(err)
	}
	return Ref{Filename: name, Hash: Hash{"sha256", b.SHA256()}, Size: int64(len(b.Bytes()))}
}

// sample is large enough to be cut.
func sample() *testwheel.Builder {
	return testwheel.New("sample", "1.0").File("sample/__init__.py", "x = 1\n").File("sample/big.py", text(200_000)).Executable("sample/run", "#!\n").Stored("sample/stored", text(50_000))
}

// check reads everything of a wheel and closes it.
func check(t *testing.T, w *Wheel, b *testwheel.Builder) {
	t.Helper()
	if w.SHA256 != b.SHA256() || w.Size != int64(len(b.Bytes())) || w.Filename.String() != b.Filename() {
		t.Errorf("wheel = %s %d %s", w.SHA256, w.Size, w.Filename)
	}
	got, err := w.ReadFile("sample/big.py", 1<<20)
	if err != nil || string(got) != text(200_000) {
		t.Errorf("big.py: %d bytes, %v", len(got), err)
	}
	for _, m := range w.Members() {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || int64(len(data)) != m.Size() {
			t.Errorf("%s: %d bytes, %v", m.Name(), len(data), err)
		}
	}
	if m, ok := w.Member("sample/run"); !ok || !m.Executable() {
		t.Error("the script is not executable")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func mustFetch(t *testing.T, f fixture, ref Ref) *Wheel {
	t.Helper()
	w, err := f.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestFetchDownloadsOnce(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	w := mustFetch(t, f, ref)
	if w.Cached || w.Downloaded != ref.Size {
		t.Errorf("cached %t, downloaded %d", w.Cached, w.Downloaded)
	}
	check(t, w, b)
	again := mustFetch(t, f, ref)
	if !again.Cached || again.Downloaded != 0 {
		t.Errorf("again: cached %t, downloaded %d", again.Cached, again.Downloaded)
	}
	check(t, again, b)
	if n := len(f.server.Requests(b.Filename())); n != 1 {
		t.Errorf("%d requests", n)
	}
	if len(f.notes.notes) > 0 || f.notes.tasks[b.Filename()] != ref.Size {
		t.Errorf("notes %q, progress %v", f.notes.notes, f.notes.tasks)
	}
}

func TestFetchSurvivesFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault    testwheel.Fault
		requests int
	}{
		"truncated":     {testwheel.Fault{Truncate: 20_000, Times: 2}, 3},
		"stalled":       {testwheel.Fault{Stall: 20_000, Times: 1}, 2},
		"503":           {testwheel.Fault{Status: 503, Times: 2}, 3},
		"without Range": {testwheel.Fault{NoRange: true}, 1},
		"slow":          {testwheel.Fault{Slow: time.Microsecond}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := newFixture(t, transport.Options{}), sample()
			ref := f.serve(t, b)
			f.server.Spoil(b.Filename(), tt.fault)
			w := mustFetch(t, f, ref)
			if w.Downloaded != ref.Size {
				t.Errorf("downloaded %d of %d", w.Downloaded, ref.Size)
			}
			check(t, w, b)
			if n := len(f.server.Requests(b.Filename())); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// A file that is replaced while it is downloaded gives a wrong hash of two halves; the whole is then asked for again.
func TestFetchAfterTheFileChanged(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	wrong := bytes.Repeat([]byte("wrong"), 20_000)
	f.server.Spoil(b.Filename(), testwheel.Fault{Truncate: 20_000, Times: 1, Wrong: wrong})
	w := mustFetch(t, f, ref)
	if n := len(f.server.Requests(b.Filename())); n != 3 {
		t.Errorf("%d requests", n)
	}
	if w.Downloaded <= ref.Size {
		t.Errorf("downloaded %d", w.Downloaded)
	}
	check(t, w, b)
}

func TestFetchRefusesAWrongHash(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	ref.URL = strings.Replace(ref.URL, "http://", "http://user:secret@", 1) + "?token=hidden"
	ref.Size++
	right := ref.Hash.Hex
	ref.Hash.Hex = strings.Repeat("ab", 32)
	_, err := f.Fetch(t.Context(), ref)
	if fault.KindOf(err) != fault.Integrity {
		t.Fatalf("err = %v", err)
	}
	for _, want := range []string{b.Filename(), "/files/", "sha256:" + ref.Hash.Hex, "sha256:" + right, fmt.Sprintf("%d bytes, expected %d", ref.Size-1, ref.Size)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows credentials: %v", err)
	}
	if n := len(f.server.Requests(b.Filename())); n != 1 {
		t.Errorf("%d requests", n)
	}
	for _, sum := range []string{right, ref.Hash.Hex} {
		if _, err := f.cache.OpenFile(wheels, sum); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the cache has it: %v", err)
		}
	}
}

func TestFetchRemarksOnAWrongSize(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	ref.Size--
	check(t, mustFetch(t, f, ref), b)
	if len(f.notes.notes) != 1 || !strings.Contains(f.notes.notes[0], b.Filename()) {
		t.Errorf("notes = %q", f.notes.notes)
	}
}

func TestFetchGivesUp(t *testing.T) {
	for name, bad := range map[string]testwheel.Fault{
		"404": {Status: 404}, "stalled": {Stall: 100}, "truncated": {Truncate: 100}, "503": {Status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := newFixture(t, transport.Options{}), sample()
			ref := f.serve(t, b)
			f.server.Spoil(b.Filename(), bad)
			_, err := f.Fetch(t.Context(), ref)
			if fault.KindOf(err) != fault.Network || !strings.Contains(err.Error(), b.Filename()) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestFetchRefusesABadArchive(t *testing.T) {
	f := newFixture(t, transport.Options{})
	b := testwheel.New("bad", "1").File("../x", "x").File("a\x00b", "x")
	_, err := f.Fetch(t.Context(), f.serve(t, b))
	if fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), b.Filename()) ||
		!strings.Contains(err.Error(), "leads out") || !strings.Contains(err.Error(), "control character") {
		t.Errorf("err = %v", err)
	}
	if _, err := f.cache.OpenFile(wheels, b.SHA256()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cache has it: %v", err)
	}
}

func TestFetchByOtherHashes(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	ref := f.serve(t, b)
	s512, s384, m5 := sha512.Sum512(b.Bytes()), sha512.Sum384(b.Bytes()), md5.Sum(b.Bytes())
	b2 := blake2b.Sum256(b.Bytes())
	hashes := []Hash{
		{"sha512", hex.EncodeToString(s512[:])}, {"sha384", hex.EncodeToString(s384[:])}, {"blake2b", hex.EncodeToString(b2[:])}, {"md5", hex.EncodeToString(m5[:])},
	}
	for i, h := range hashes {
		ref.Hash = h
		w := mustFetch(t, f, ref)
		if w.Cached {
			t.Errorf("%s: found before it was known", h)
		}
		check(t, w, b)
		w = mustFetch(t, f, ref)
		if !w.Cached {
			t.Errorf("%s: not found by its alias", h)
		}
		check(t, w, b)
		if n := len(f.server.Requests(b.Filename())); n != i+1 {
			t.Errorf("%d requests after %s", n, h)
		}
	}
	ref.Hash.Hex = strings.Repeat("0", 32)
	if _, err := f.Fetch(t.Context(), ref); fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), "md5:"+hashes[3].Hex) {
		t.Errorf("wrong md5: %v", err)
	}
	for _, h := range []Hash{{}, {"blake2s", strings.Repeat("0", 64)}, {"blake2b", strings.Repeat("0", 128)}, {"sha256", "zz"}, {"sha256", strings.Repeat("A", 64)}, {"sha256", "../../x"}} {
		ref.Hash = h
		if _, err := f.Fetch(t.Context(), ref); fault.KindOf(err) != fault.Integrity {
			t.Errorf("hash %q: %v", h, err)
		}
	}
}

func TestFetchOfAPath(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	f.client = nil
	ref := refOf(t, b)
	ref.Path = b.Write(t, t.TempDir())
	w := mustFetch(t, f, ref)
	if w.Cached || w.Downloaded != 0 {
		t.Errorf("cached %t, downloaded %d", w.Cached, w.Downloaded)
	}
	check(t, w, b)
	ref.Hash = Hash{}
	check(t, mustFetch(t, f, ref), b)
	ref.Hash = Hash{"sha256", strings.Repeat("0", 64)}
	if _, err := f.Fetch(t.Context(), ref); fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), ref.Path) {
		t.Errorf("wrong hash: %v", err)
	}
	ref.Path += ".missing"
	if _, err := f.Fetch(t.Context(), ref); !errors.Is(err, fs.ErrNotExist) || fault.KindOf(err) != fault.Package {
		t.Errorf("missing: %v", err)
	}
}

func TestOfflineListsWhatIsMissing(t *testing.T) {
	f := newFixture(t, transport.Options{Offline: true})
	here, local := sample(), testwheel.New("local", "1")
	refHere, refLocal := f.serve(t, here), refOf(t, local)
	refHere.Path = here.Write(t, t.TempDir())
	check(t, mustFetch(t, f, refHere), here)
	refHere.Path = ""
	refLocal.Path = local.Write(t, t.TempDir())
	b, a := f.serve(t, testwheel.New("b", "1")), f.serve(t, testwheel.New("a", "1"))
	err := f.Available(b, refHere, a, refLocal, b)
	if fault.KindOf(err) != fault.Network || !strings.Contains(err.Error(), ": a-1-py3-none-any.whl, b-1-py3-none-any.whl: ") {
		t.Errorf("err = %v", err)
	}
	if err := f.Available(refHere, refLocal); err != nil {
		t.Error(err)
	}
	check(t, mustFetch(t, f, refHere), here)
	if _, err := f.Fetch(t.Context(), a); !errors.Is(err, transport.ErrOffline) || fault.KindOf(err) != fault.Network {
		t.Errorf("Fetch: %v", err)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	f, b := newFixture(t, transport.Options{ReadTimeout: time.Minute}), sample()
	ref := f.serve(t, b)
	f.server.Spoil(b.Filename(), testwheel.Fault{Stall: 20_000})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for f.server.Sent(b.Filename()) < 20_000 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := f.Fetch(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	// The fixture looks for scratch files, goleak for goroutines.
	f.server.Spoil(b.Filename(), testwheel.Fault{})
	check(t, mustFetch(t, f, ref), b)
}

func TestConcurrentFetchesShareADownload(t *testing.T) {
	f, b := newFixture(t, transport.Options{ReadTimeout: time.Minute}), sample()
	ref := f.serve(t, b)
	f.server.Spoil(b.Filename(), testwheel.Fault{Slow: 100 * time.Microsecond})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			w, err := f.Fetch(t.Context(), ref)
			if err != nil {
				t.Error(err)
				return
			}
			check(t, w, b)
		})
	}
	wg.Wait()
	if n := len(f.server.Requests(b.Filename())); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestReadFileLimits(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	w := mustFetch(t, f, f.serve(t, b))
	if _, err := w.ReadFile("sample/big.py", 100); fault.KindOf(err) != fault.Integrity {
		t.Errorf("too large: %v", err)
	}
	if _, err := w.ReadFile("nothing", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	m, _ := w.Member("sample/big.py")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, ok := w.Member("sample/run"); !ok {
		t.Error("Close forgot the members")
	}
}

func TestMembersAreReadSideBySide(t *testing.T) {
	f, b := newFixture(t, transport.Options{}), sample()
	w := mustFetch(t, f, f.serve(t, b))
	var wg sync.WaitGroup
	for range 8 {
		for _, m := range w.Members() {
			wg.Go(func() {
				if data, err := w.ReadFile(m.Name(), m.Size()); err != nil || int64(len(data)) != m.Size() {
					t.Errorf("%s: %d bytes, %v", m.Name(), len(data), err)
				}
			})
		}
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
