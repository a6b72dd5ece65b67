package cas

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpk/internal/fault"
)

// state is everything about a tree that may not change.
func state(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%x\n", sha256.Sum256(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// age makes all of a tree look as if it was used long ago.
func age(t *testing.T, dir string) {
	t.Helper()
	long := time.Unix(1_000_000_000, 0)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, long, long))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func over(t *testing.T, dir string, lower ...string) *Store {
	t.Helper()
	s, err := Open(dir, Used(time.Now()), Fallback(lower...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFallback(t *testing.T) {
	first, second, dir := open(t), open(t), t.TempDir()
	for i, s := range []*Store{first, second} {
		if err := s.PutRecord(testKind, "both", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := second.Directory(t.Context(), testKind, "directory", func(dir string) error { return os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644) })
	if err := errors.Join(err, second.PutRecord(testKind, "second", []byte("2"))); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{first, second} {
		age(t, s.Dir())
	}
	before := state(t, first.Dir()) + state(t, second.Dir())

	s := over(t, dir, first.Dir(), filepath.Join(dir, "nowhere"), second.Dir())
	if data, err := s.Record(testKind, "both"); err != nil || string(data) != "0" {
		t.Errorf("of two caches: %q, %v", data, err)
	}
	if data, err := s.Record(testKind, "second"); err != nil || string(data) != "2" {
		t.Errorf("of the second cache: %q, %v", data, err)
	}
	if _, err := s.Record(testKind, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of none: %v", err)
	}
	found, err := s.Directory(t.Context(), testKind, "directory", func(string) error { return errors.New("it was filled") })
	if want, _ := second.Path(testKind, "directory"); err != nil || found != want {
		t.Errorf("Directory = %q, %v", found, err)
	}
	if f, err := s.OpenFile(testKind, "second"); err != nil {
		t.Error(err)
	} else if err := f.Close(); err != nil {
		t.Error(err)
	}
	if got := s.FoundBelow(); len(got) != 1 || got[0] != (Found{"test", 3}) {
		t.Errorf("FoundBelow = %v", got)
	}
	// What the cache has itself counts more.
	if err := s.PutRecord(testKind, "both", []byte("own")); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Record(testKind, "both"); err != nil || string(data) != "own" {
		t.Errorf("of one's own: %q, %v", data, err)
	}
	// To discard it does not hide the others, to discard again one after the other.
	for _, want := range []string{"0", "1", ""} {
		if err := s.Remove(testKind, "both"); err != nil {
			t.Fatal(err)
		}
		if data, err := s.Record(testKind, "both"); string(data) != want || (err == nil) != (want != "") {
			t.Errorf("discarded: %q, %v, want %q", data, err, want)
		}
	}
	if after := state(t, first.Dir()) + state(t, second.Dir()); after != before {
		t.Errorf("the lower caches changed:\n%s\nbefore:\n%s", after, before)
	}
	// And so it is for the next process, until there is another file.
	s = over(t, dir, first.Dir())
	if _, err := s.Record(testKind, "both"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("discarded by another process: %v", err)
	}
	if err := first.PutRecord(testKind, "both", []byte("again")); err != nil {
		t.Fatal(err)
	}
	if data, err := over(t, dir, first.Dir()).Record(testKind, "both"); err != nil || string(data) != "again" {
		t.Errorf("made again there: %q, %v", data, err)
	}
}

func TestDamagedRecordOfFallback(t *testing.T) {
	lower := open(t)
	if err := lower.PutRecord(testKind, "abcdef", []byte("value")); err != nil {
		t.Fatal(err)
	}
	path, _ := lower.Path(testKind, "abcdef")
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.ToUpper(data), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := state(t, lower.Dir())
	s := over(t, t.TempDir(), lower.Dir())
	if _, err := s.Record(testKind, "abcdef"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("damaged record: %v", err)
	}
	if s.FoundBelow() != nil {
		t.Errorf("FoundBelow = %v", s.FoundBelow())
	}
	if err := s.PutRecord(testKind, "abcdef", []byte("again")); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Record(testKind, "abcdef"); err != nil || string(data) != "again" {
		t.Errorf("made again: %q, %v", data, err)
	}
	if state(t, lower.Dir()) != before {
		t.Error("the lower cache changed")
	}
}

// A fork sees in lower caches what it shares, and nothing else.
func TestForkOfFallback(t *testing.T) {
	lower := open(t)
	shared, own := Kind{Name: "shared", Version: 2}, Kind{Name: "own", Version: 1}
	if err := errors.Join(lower.PutRecord(shared, "abcdef", nil), lower.PutRecord(own, "abcdef", nil)); err != nil {
		t.Fatal(err)
	}
	s := over(t, t.TempDir(), lower.Dir())
	fork, err := s.Fork(filepath.Join(t.TempDir(), "fork"), shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fork.Find(shared, "abcdef"); err != nil {
		t.Error(err)
	}
	if _, err := fork.Find(own, "abcdef"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("entry of another kind: %v", err)
	}
}

func TestTagAndCheck(t *testing.T) {
	dir := t.TempDir()
	tagged := func(dir string) bool {
		data, err := os.ReadFile(filepath.Join(dir, tagName))
		return err == nil && bytes.HasPrefix(data, []byte("Signature: 8a477f597d28d172789f06886e806bc55\n"))
	}
	for _, missing := range []string{dir, filepath.Join(dir, "nothing")} {
		if err := Check(missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Check of nothing: %v", err)
		}
		if _, err := OpenExisting(missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenExisting of nothing: %v", err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
	s, err := Open(dir)
	if err != nil || !tagged(dir) || Check(dir) != nil {
		t.Fatalf("new cache: %v, %v, tagged %v", err, Check(dir), tagged(dir))
	}
	// A cache of before there were tags, or whose tag another program has written.
	if err := errors.Join(s.PutRecord(testKind, "abcdef", nil), os.WriteFile(filepath.Join(dir, tagName), []byte("of cargo"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err != nil {
		t.Errorf("cache with another tag: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, tagName)); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err != nil || tagged(dir) {
		t.Errorf("cache without a tag: %v, tagged %v", err, tagged(dir))
	}
	if _, err := Open(dir); err != nil || !tagged(dir) {
		t.Errorf("opened again: %v, tagged %v", err, tagged(dir))
	}

	// A directory that was named by mistake.
	home := t.TempDir()
	old := filepath.Join(home, "tmp", "thesis")
	if err := errors.Join(os.Mkdir(filepath.Dir(old), 0o755), os.WriteFile(old, nil, 0o644), os.WriteFile(filepath.Join(home, "letter"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(home); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.PutRecord(testKind, "abcdef", nil), s.Sweep(time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err != nil || tagged(home) {
		t.Errorf("%v, tagged %v", err, tagged(home))
	}
	if _, err := OpenExisting(home); fault.KindOf(err) != fault.Usage {
		t.Errorf("OpenExisting: %v", err)
	}
}
