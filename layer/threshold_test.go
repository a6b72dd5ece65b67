package layer

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"vpk/internal/cas"
	"vpk/internal/peer"
	"vpk/venv/tree"
	"vpk/wheel"
	"vpk/wheel/tag"
)

// TestThreshold measures what the package comment says of the threshold and the level, on all wheels that other tests have
// downloaded: VPK_PROOF=1 go test -run TestThreshold -v.
func TestThreshold(t *testing.T) {
	if !peer.InFull() {
		t.Skip("a measurement: VPK_PROOF=1")
	}
	thresholds := []int64{16 << 10, 32 << 10, 64 << 10, 128 << 10, math.MaxInt64}
	type sum struct {
		wheels    int
		raw       int64
		size, cpu [8]int64
	}
	sums := map[string]*sum{"pure": {}, "native": {}}
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := wheel.NewStore(cache, nil, wheel.Options{})
	seen := map[string]bool{}
	err = filepath.WalkDir(peer.CacheDir(t.TempDir()), func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".whl") || d.IsDir() {
			return err
		}
		info, err := d.Info()
		name, nerr := tag.ParseFilename(d.Name())
		if err != nil || nerr != nil || seen[d.Name()] || info.Size() < 10_000 || info.Size() > 40<<20 {
			return err
		}
		seen[d.Name()] = true
		w, err := store.Fetch(t.Context(), wheel.Ref{Filename: name, Path: path})
		if err != nil {
			return err
		}
		defer func() { _ = w.Close() }()
		kind := "native"
		if strings.HasSuffix(d.Name(), "-none-any.whl") {
			kind = "pure"
		}
		s := sums[kind]
		s.wheels++
		var items []item
		for _, m := range w.Members() {
			items = append(items, item{
				Entry: tree.Entry{Path: "app/.venv/lib/python3.11/site-packages/" + m.Name(), Kind: tree.File, Content: m}, mode: 0o644, splice: true,
			})
		}
		for i, from := range thresholds {
			before := threadTime(t)
			pieces, err := gzipCodec{spliceFrom: from}.encode(context.Background(), io.Discard, io.Discard, items)
			if err != nil {
				return err
			}
			s.cpu[i] += int64(threadTime(t) - before)
			for _, p := range pieces {
				s.size[i] += p.Size
				if i == 0 {
					s.raw += p.Raw
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, s := range sums {
		var b strings.Builder
		whole := float64(s.size[len(thresholds)-1])
		for i, from := range thresholds {
			fmt.Fprintf(&b, "\n%9d KiB %8.1f MB %+6.2f %% %7.2f s", from>>10, float64(s.size[i])/1e6, 100*(float64(s.size[i])/whole-1), time.Duration(s.cpu[i]).Seconds())
		}
		t.Logf("%s: %d wheels, %.0f MB of tar, level %d%s", kind, s.wheels, float64(s.raw)/1e6, gzipLevel, b.String())
	}
}

// threadTime is the processor time of this goroutine's thread, to which it is bound.
func threadTime(t *testing.T) time.Duration {
	runtime.LockOSThread()
	var u syscall.Rusage
	if err := syscall.Getrusage(1 /* RUSAGE_THREAD */, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
