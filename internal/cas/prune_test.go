package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	fileKind   = Kind{Name: "file", Version: 1}
	noteKind   = Kind{Name: "note", Version: 3} // belongs to file
	loneKind   = Kind{Name: "lone", Version: 1}
	testKinds  = []Registration{{Kind: fileKind}, {Kind: noteKind, With: fileKind}, {Kind: loneKind}}
	pruneKinds = []Kind{fileKind, noteKind, loneKind}
)

// put makes an entry of some size, used at a time.
func put(t interface{ Fatal(...any) }, s *Store, k Kind, key string, size int, used time.Time) {
	w, err := s.Create(k)
	if err == nil {
		_, err = w.Write(make([]byte, size))
		err = errors.Join(err, w.Commit(key), w.Close())
	}
	path, pathErr := s.Path(k, key)
	if err := errors.Join(err, pathErr, os.Chtimes(path, used, used)); err != nil {
		t.Fatal(err)
	}
}

func all(t testing.TB, s *Store) map[string]Entry {
	t.Helper()
	list, err := s.Entries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Entry{}
	for _, e := range list {
		m[e.String()] = e
	}
	return m
}

// Whatever was made and used in whatever order: what is left keeps to the rules, nothing that was used later than something that is left
// is gone, companions are gone together, and no more went than the rules ask for.
func TestPruneProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "cas-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		now := time.Unix(1_800_000_000, 0)
		old, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		model := map[[2]string]time.Time{} // when the companions of an entry were used
		kindName := func(k Kind) string {
			if k == noteKind {
				return fileKind.Name
			}
			return k.Name
		}
		for range rapid.IntRange(0, 25).Draw(t, "steps") {
			k := rapid.SampledFrom(pruneKinds).Draw(t, "kind")
			key := fmt.Sprintf("key%d", rapid.IntRange(0, 6).Draw(t, "key"))
			at := now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "hours ago")) * 2 * time.Hour)
			if path, err := old.Path(k, key); err != nil {
				t.Fatal(err)
			} else if _, err := os.Lstat(path); err == nil && rapid.Bool().Draw(t, "use") {
				user, err := Open(dir, Used(at))
				if err == nil {
					_, err = user.Find(k, key)
				}
				if err != nil {
					t.Fatal(err)
				}
			} else {
				put(t, old, k, key, rapid.IntRange(1, 30_000).Draw(t, "size"), at)
			}
		}
		before, err := old.Entries(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		byKey := func(e Entry) [2]string { return [2]string{kindName(Kind{e.Kind, e.Version, false}), e.Key} }
		var total int64
		for _, e := range before {
			total += e.Size
			if e.Used.After(model[byKey(e)]) {
				model[byKey(e)] = e.Used
			}
		}
		rules := Rules{MaxSize: -1, DryRun: rapid.Bool().Draw(t, "dry run")}
		if rapid.Bool().Draw(t, "by age") {
			rules.Before = now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "age")) * 2 * time.Hour)
		}
		if rapid.Bool().Draw(t, "by size") {
			rules.MaxSize = rapid.Int64Range(0, total+1).Draw(t, "max")
		}
		removed, err := old.Prune(context.Background(), testKinds, rules)
		if err != nil {
			t.Fatal(err)
		}
		after, err := old.Entries(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if rules.DryRun {
			if len(after) != len(before) {
				t.Fatalf("a dry run removed %d entries", len(before)-len(after))
			}
			wet := rules
			wet.DryRun = false
			again, err := old.Prune(context.Background(), testKinds, wet)
			if err != nil || again != removed {
				t.Fatalf("a dry run said %+v, then it was %+v, %v", removed, again, err)
			}
			if after, err = old.Entries(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		left := map[[2]string]int{}
		var size int64
		for _, e := range after {
			left[byKey(e)]++
			size += e.Size
		}
		if removed.Entries != len(before)-len(after) || removed.Size != total-size || removed.Left != size {
			t.Fatalf("said %+v, really %d entries, %d bytes and %d left", removed, len(before)-len(after), total-size, size)
		}
		if rules.MaxSize >= 0 && size > rules.MaxSize {
			t.Fatalf("%d bytes are left, at most %d may be", size, rules.MaxSize)
		}
		var oldestLeft, newestGone time.Time
		had := map[[2]string]int{}
		for _, e := range before {
			had[byKey(e)]++
		}
		groups := map[[2]string]int64{}
		for _, e := range before {
			groups[byKey(e)] += e.Size
		}
		for key, used := range model {
			switch {
			case left[key] == 0:
				if used.After(newestGone) {
					newestGone = used
				}
			case left[key] != had[key]:
				t.Fatalf("of %v %d of %d are left", key, left[key], had[key])
			default:
				if used.Before(rules.Before) {
					t.Fatalf("%v was used at %v, before %v, and is left", key, used, rules.Before)
				}
				if oldestLeft.IsZero() || used.Before(oldestLeft) {
					oldestLeft = used
				}
			}
		}
		if !newestGone.IsZero() && !oldestLeft.IsZero() && newestGone.After(oldestLeft) {
			t.Fatalf("what was used at %v is gone, what was used at %v is left", newestGone, oldestLeft)
		}
		// What went last was asked for: it was too old, or with it there was too much.
		if removed.Entries > 0 && !newestGone.Before(rules.Before) {
			asked := false
			for key, used := range model {
				last := left[key] == 0 && used.Equal(newestGone)
				asked = asked || last && rules.MaxSize >= 0 && size+groups[key] > rules.MaxSize
			}
			if !asked {
				t.Fatalf("what was used at %v went, which no rule asks for", newestGone)
			}
		}
	})
}

func TestUseIsNoted(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second)
	s, err := Open(dir, Used(now))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before, after time.Duration // from now
	}{{-2 * time.Hour, 0}, {-59 * time.Minute, -59 * time.Minute}, {30 * time.Minute, 30 * time.Minute}, {48 * time.Hour, 0}} {
		for name, use := range map[string]func() error{
			"record": func() error { _, err := s.Record(loneKind, "record"); return err },
			"file": func() error {
				f, err := s.OpenFile(loneKind, "record")
				return errors.Join(err, f.Close())
			},
			"find": func() error { _, err := s.Find(loneKind, "record"); return err },
		} {
			if err := s.PutRecord(loneKind, "record", nil); err != nil {
				t.Fatal(err)
			}
			path, _ := s.Path(loneKind, "record")
			if err := os.Chtimes(path, time.Time{}, now.Add(c.before)); err != nil {
				t.Fatal(err)
			}
			if err := use(); err != nil {
				t.Fatal(err)
			}
			if got := all(t, s)["lone/record"].Used; !got.Equal(now.Add(c.after)) {
				t.Errorf("%s, %v ago: used %v from now, want %v", name, -c.before, got.Sub(now), c.after)
			}
		}
	}
	// A directory may be given any time while it is filled.
	path, err := s.Directory(t.Context(), loneKind, "directory", func(dir string) error { return os.Chtimes(dir, time.Time{}, time.Unix(1, 0)) })
	if err != nil {
		t.Fatal(err)
	}
	if e := all(t, s)["lone/directory"]; now.Sub(e.Used) > time.Hour {
		t.Errorf("%s was used at %v", path, e.Used)
	}
}

// What a directory holds counts with all of its size, a file with two names once.
func TestSizeOfDirectory(t *testing.T) {
	s := open(t)
	put(t, s, loneKind, "file", 40_000, time.Now())
	_, err := s.Directory(t.Context(), loneKind, "directory", func(dir string) error {
		sub := filepath.Join(dir, "sub")
		return errors.Join(os.Mkdir(sub, 0o755), os.WriteFile(filepath.Join(sub, "a"), make([]byte, 40_000), 0o644), os.Link(filepath.Join(sub, "a"), filepath.Join(dir, "b")))
	})
	if err != nil {
		t.Fatal(err)
	}
	entries := all(t, s)
	file, dir := entries["lone/file"].Size, entries["lone/directory"].Size
	if file < 40_000 || dir < file || dir >= 2*file {
		t.Errorf("a file takes %d, a directory with it %d", file, dir)
	}
	if removed, err := s.Prune(t.Context(), nil, Rules{MaxSize: 0}); err != nil || removed != (Removed{2, file + dir, 0}) {
		t.Errorf("Prune: %+v, %v", removed, err)
	}
}

// Users who hold the cache never lose what they found, however often it is pruned meanwhile.
func TestPruneNeverTakesWhatIsUsed(t *testing.T) {
	dir := t.TempDir()
	var users sync.WaitGroup
	stop := make(chan struct{})
	pruned := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				pruned <- nil
				return
			default:
			}
			s, err := Open(dir)
			if err == nil {
				err = s.Exclude(context.Background(), func() {})
			}
			if err == nil {
				_, err = s.Prune(context.Background(), nil, Rules{MaxSize: 0})
				err = errors.Join(err, s.Release())
			}
			if err != nil {
				pruned <- err
				return
			}
		}
	}()
	for u := range 4 {
		users.Go(func() {
			for n := range 20 {
				s, err := Open(dir, Used(time.Now()))
				if err == nil {
					err = s.Share(context.Background(), func() {})
				}
				if err != nil {
					t.Error(err)
					return
				}
				key := fmt.Sprintf("key-%d-%d", u%2, n)
				if err := s.PutRecord(loneKind, key, []byte(key)); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
				if data, err := s.Record(loneKind, key); err != nil || string(data) != key {
					t.Errorf("%q, %v", data, err)
				}
				if err := s.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	close(stop)
	if err := <-pruned; err != nil {
		t.Error(err)
	}
}

func TestExcludeWaits(t *testing.T) {
	dir := t.TempDir()
	stores := make([]*Store, 3)
	for i := range stores {
		var err error
		if stores[i], err = Open(dir); err != nil {
			t.Fatal(err)
		}
	}
	quiet := func() { t.Error("it waited for others who share") }
	if err := errors.Join(stores[0].Share(t.Context(), quiet), stores[1].Share(t.Context(), quiet)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	if err := stores[2].Exclude(ctx, func() { told++; cancel() }); !errors.Is(err, context.Canceled) || told != 1 {
		t.Errorf("Exclude beside two users: %v, told %d times", err, told)
	}
	waiting := make(chan struct{})
	done := make(chan error)
	go func() { done <- stores[2].Exclude(t.Context(), func() { close(waiting) }) }()
	<-waiting
	if err := errors.Join(stores[0].Release(), stores[0].Release(), stores[1].Release(), <-done); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if err := stores[0].Share(ctx, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("Share beside one who has it alone: %v", err)
	}
}

func TestClean(t *testing.T) {
	s := open(t)
	for _, k := range pruneKinds {
		put(t, s, k, "abcdef", 10, time.Now())
	}
	if _, err := s.Directory(t.Context(), loneKind, "directory", func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "f"), nil, 0o644)
	}); err != nil {
		t.Fatal(err)
	}
	held, remove, err := s.TempDir("held")
	if err != nil {
		t.Fatal(err)
	}
	foreign := []string{"notes.txt", "file-v1/mine", "file-v1/ab/x", "data/file-v1/ab/abcdef", "lone-v1/zz/abcdef"}
	for _, name := range append([]string{"tmp/left"}, foreign...) {
		name = filepath.Join(s.Dir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := s.Clean(t.Context())
	if err != nil || removed.Entries != 4 {
		t.Errorf("Clean: %+v, %v", removed, err)
	}
	if left := all(t, s); len(left) > 0 {
		t.Errorf("entries are left: %v", slices.Collect(maps.Keys(left)))
	}
	var files []string
	err = filepath.WalkDir(s.Dir(), func(path string, e fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(s.Dir(), path); err == nil && !e.IsDir() {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append([]string{tagName, "locks/lone-directory"}, foreign...)))
	if !slices.Equal(slices.Sorted(slices.Values(files)), want) {
		t.Errorf("left: %q, want %q", files, want)
	}
	if _, err := os.Stat(held); err != nil {
		t.Errorf("scratch that is held: %v", err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
}
