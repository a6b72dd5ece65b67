package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestVerify(t *testing.T) {
	var (
		record  = Kind{Name: "record", Version: 1}
		json    = Kind{Name: "json", Version: 1}
		blob    = Kind{Name: "blob", Version: 1}
		unknown = Kind{Name: "unknown", Version: 1}
	)
	kinds := []Registration{{Kind: record, Verify: IsRecord}, {Kind: json, Verify: IsJSON[[]int]}, {Kind: blob, Verify: IsSHA256}}
	s := open(t)
	for n := range 20 {
		value := fmt.Append(nil, "[", n, "]")
		put := func(k Kind) error { return s.PutRecord(k, Key(string(value)), value) }
		w, err := s.Create(blob)
		if err == nil {
			_, err = w.Write(value)
		}
		if err := errors.Join(err, w.Commit(fmt.Sprintf("%x", sha256.Sum256(value))), w.Close(), put(record), put(json), put(unknown)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutRecord(json, "words", []byte(`["a"]`)); err != nil {
		t.Fatal(err)
	}
	damaged := map[string]bool{"json/words": true}
	entries := all(t, s)
	for name, e := range entries {
		if e.Kind == unknown.Name || len(damaged) > 20 {
			continue
		}
		data, err := os.ReadFile(e.path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(e.path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		damaged[name] = true
	}
	list, err := s.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var seen int64
	checked, findings, err := s.Verify(t.Context(), list, kinds, func(n int64) { seen += n })
	if err != nil || checked+len(findings) != len(list) || seen == 0 {
		t.Fatalf("%d checked, %d findings of %d, %v", checked, len(findings), len(list), err)
	}
	for _, f := range findings {
		switch {
		case f.Kind == unknown.Name:
			if !errors.Is(f.Err, ErrUnknown) {
				t.Errorf("%s: %v", f, f.Err)
			}
		case !damaged[f.String()] || !errors.Is(f.Err, ErrDamaged):
			t.Errorf("%s: %v", f, f.Err)
		}
		delete(damaged, f.String())
	}
	if len(damaged) > 0 {
		t.Errorf("not found: %v", damaged)
	}
	// Nothing was changed.
	if after := all(t, s); len(after) != len(entries) {
		t.Errorf("%d entries, then %d", len(entries), len(after))
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Verify(ctx, list, kinds, func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if data := bytes.Repeat([]byte{0}, 10); readRecordOf(t, data) == nil {
		t.Error("ten zeros are a record")
	}
}

func readRecordOf(t *testing.T, data []byte) error {
	t.Helper()
	name := t.TempDir() + "/record"
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := readRecord(name)
	return err
}
