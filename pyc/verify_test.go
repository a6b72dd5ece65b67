package pyc

import (
	"encoding/json"
	"errors"
	"testing"

	"vpk/internal/cas"
)

func TestVerifyIndex(t *testing.T) {
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pieces []piece
		whole  bool
	}{
		"empty":  {nil, true},
		"pieces": {[]piece{{Path: "a.py", Length: 10}, {Path: "b.py", Offset: 10, Length: 5}}, true},
		"hole":   {[]piece{{Path: "a.py", Length: 10}, {Path: "b.py", Offset: 11, Length: 5}}, false},
		"length": {[]piece{{Path: "a.py", Length: -1}}, false},
	} {
		data, err := json.Marshal(index{Pieces: c.pieces})
		if err == nil {
			err = cache.PutRecord(indexKind, "abcdef", data)
		}
		list, listErr := cache.Entries(t.Context())
		if err := errors.Join(err, listErr); err != nil {
			t.Fatal(err)
		}
		checked, findings, err := cache.Verify(t.Context(), list, Kinds(), func(int64) {})
		if err != nil || checked+len(findings) != 1 || (checked == 1) != c.whole || checked == 0 && !errors.Is(findings[0].Err, cas.ErrDamaged) {
			t.Errorf("%s: %d checked, %v, %v", name, checked, findings, err)
		}
	}
}
