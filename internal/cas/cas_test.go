package cas

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var testKind = Kind{Name: "test", Version: 1, Durable: true}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeyIsFramed(t *testing.T) {
	if Key("ab", "c") == Key("a", "bc") || Key("a") == Key("a", "") {
		t.Error("keys of different parts are equal")
	}
}

func TestPathRefusesForeignKeys(t *testing.T) {
	s := open(t)
	for _, key := range []string{"", "ab", "../../x", "a/b/c", ".hidden", "a b c"} {
		if _, err := s.Path(testKind, key); err == nil {
			t.Errorf("Path(%q) was accepted", key)
		}
	}
}

func TestWriterCommitsOrLeavesNothing(t *testing.T) {
	s := open(t)
	w, err := s.Create(testKind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenFile(testKind, "abcdef"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenFile of nothing: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(left) != 0 {
		t.Errorf("scratch files are left: %v", left)
	}

	w, err = s.Create(testKind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit("abcdef"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path, _ := s.Path(testKind, "abcdef")
	if data, err := os.ReadFile(path); err != nil || string(data) != "kept" {
		t.Errorf("entry = %q, %v", data, err)
	}
}

func TestDamagedRecordIsDiscarded(t *testing.T) {
	s := open(t)
	if err := s.PutRecord(testKind, "abcdef", []byte("value")); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Record(testKind, "abcdef"); err != nil || !bytes.Equal(data, []byte("value")) {
		t.Fatalf("Record = %q, %v", data, err)
	}
	path, _ := s.Path(testKind, "abcdef")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{data[:len(data)-1], append([]byte{data[0] ^ 1}, data[1:]...), nil} {
		if err := os.WriteFile(path, damage, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Record(testKind, "abcdef"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("damaged record: %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("damaged record is still there: %v", err)
		}
	}
}

func TestDirectoryIsFilledOnce(t *testing.T) {
	s := open(t)
	fills := 0
	fill := func(dir string) error {
		fills++
		time.Sleep(10 * time.Millisecond)
		return os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := s.Directory(context.Background(), testKind, "abcdef", fill)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if fills != 1 {
		t.Errorf("filled %d times", fills)
	}
	failure := errors.New("no")
	if _, err := s.Directory(context.Background(), testKind, "other", func(string) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("err = %v", err)
	}
	if path, _ := s.Path(testKind, "other"); path != "" {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a failed fill left an entry")
		}
	}
}

func TestLockHonoursContext(t *testing.T) {
	s := open(t)
	unlock, err := s.Lock(context.Background(), testKind, "abcdef")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, testKind, "abcdef"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	again, err := s.Lock(context.Background(), testKind, "abcdef")
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestSweep(t *testing.T) {
	s := open(t)
	now := time.Now()
	gone := func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	// What a process that was killed leaves is held by nobody.
	left := filepath.Join(s.Dir(), "tmp", "left")
	if err := errors.Join(os.MkdirAll(filepath.Join(left, "a"), 0o755), os.WriteFile(left+".file", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	held, remove, err := s.TempDir("held")
	if err != nil {
		t.Fatal(err)
	}
	// An image that is unpacked there may give the directory any time.
	if err := os.Chtimes(held, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if gone(left) || gone(left+".file") || gone(held) {
		t.Error("fresh scratch was swept")
	}
	if err := s.Sweep(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !gone(left) || !gone(left+".file") || gone(held) {
		t.Errorf("left: %v, %v, held: %v", !gone(left), !gone(left+".file"), !gone(held))
	}
	if err := remove(); err != nil || !gone(held) {
		t.Errorf("remove: %v", err)
	}
}

func TestFork(t *testing.T) {
	store := open(t)
	shared, own := Kind{Name: "shared", Version: 2}, Kind{Name: "own", Version: 1}
	for _, k := range []Kind{shared, own} {
		if err := store.PutRecord(k, "before", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	dir, remove, err := store.TempDir("fork")
	if err != nil {
		t.Fatal(err)
	}
	fork, err := store.Fork(filepath.Join(dir, "cache"), shared, Kind{Name: "new", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := fork.Record(shared, "before"); err != nil || string(data) != "1" {
		t.Errorf("shared entry: %q, %v", data, err)
	}
	if data, err := fork.Record(own, "before"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("entry of another kind: %q, %v", data, err)
	}
	for _, k := range []Kind{shared, own, {Name: "new", Version: 1}} {
		if err := fork.PutRecord(k, "after", []byte("2")); err != nil {
			t.Fatal(err)
		}
		data, err := store.Record(k, "after")
		if has := err == nil && string(data) == "2"; has != (k != own) {
			t.Errorf("%s: %q, %v", k.Name, data, err)
		}
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if data, err := store.Record(shared, "after"); err != nil || string(data) != "2" {
		t.Errorf("once the fork is removed: %q, %v", data, err)
	}
}
