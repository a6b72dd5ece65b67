package pack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
)

// noted calls a function with each note.
type noted struct {
	progress.Reporter
	note func(string)
}

func (n noted) Note(format string, _ ...any) { n.note(format) }

// Who removes entries waits for who uses the cache, and the other way round; with force it goes ahead.
func TestCaretakerWaits(t *testing.T) {
	dir := t.TempDir()
	user := sources(t, dir)
	if err := user.cache.PutRecord(environmentKind, "abcdef", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said []string
	c := Caretaker{Dir: dir, Reporter: noted{progress.Discard, func(note string) {
		said = append(said, note)
		cancel()
	}}}
	if _, err := c.Prune(ctx, cas.Rules{MaxSize: 0}); !errors.Is(err, context.Canceled) || len(said) != 1 || !strings.Contains(said[0], "the cache is in use") {
		t.Errorf("Prune beside a user: %v, %q", err, said)
	}
	if _, err := user.cache.Record(environmentKind, "abcdef"); err != nil {
		t.Error(err)
	}
	c.Force = true
	if removed, err := c.Prune(t.Context(), cas.Rules{MaxSize: 0}); err != nil || removed.Entries != 1 || len(said) != 1 {
		t.Errorf("Prune with force: %+v, %v, %q", removed, err, said)
	}
	if err := user.Close(); err != nil {
		t.Fatal(err)
	}
	c.Force = false
	if _, err := c.Clean(t.Context(), nil); err != nil || len(said) != 1 {
		t.Errorf("Clean with no user: %v, %q", err, said)
	}

	keeper, err := cas.OpenExisting(dir)
	if err == nil {
		err = keeper.Exclude(t.Context(), func() {})
	}
	if err != nil {
		t.Fatal(err)
	}
	second, stop := context.WithCancel(t.Context())
	defer stop()
	said = nil
	_, err = OpenSources(second, SourceOptions{CacheDir: dir, Reporter: noted{progress.Discard, func(note string) {
		said = append(said, note)
		stop()
	}}})
	if !errors.Is(err, context.Canceled) || len(said) != 1 {
		t.Errorf("OpenSources beside one who has the cache alone: %v, %q", err, said)
	}
	if err := keeper.Release(); err != nil {
		t.Fatal(err)
	}
}

// A cache for one run lies where there is room, and is gone when the run ends.
func TestNoCache(t *testing.T) {
	dir, temp := filepath.Join(t.TempDir(), "cache"), t.TempDir()
	file := filepath.Join(temp, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, below string }{{dir, filepath.Join(dir, "tmp")}, {"", temp}, {filepath.Join(file, "cache"), temp}} {
		s, err := OpenSources(t.Context(), SourceOptions{CacheDir: c.dir, NoCache: true, TempDir: temp, Fallbacks: []string{"nowhere"}, Reporter: noted{progress.Discard, func(note string) {
			t.Errorf("noted: %q", note)
		}}})
		if err != nil {
			t.Fatal(err)
		}
		own := s.CacheDir()
		if filepath.Dir(own) != c.below || s.cache.PutRecord(environmentKind, "abcdef", nil) != nil {
			t.Errorf("cache %q for a run is %q", c.dir, own)
		}
		// Nobody takes it away meanwhile.
		if c.dir == dir {
			if _, err := (Caretaker{Dir: dir, StaleSince: time.Now().Add(time.Hour), Reporter: progress.Discard}).Clean(t.Context(), nil); err != nil {
				t.Error(err)
			}
			if _, err := s.cache.Record(environmentKind, "abcdef"); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(own); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is left: %v", err)
		}
	}
	_, err := OpenSources(t.Context(), SourceOptions{NoCache: true, TempDir: file, Reporter: progress.Discard})
	if fault.KindOf(err) != fault.Delivery {
		t.Errorf("no place for it: %v", err)
	}
}
