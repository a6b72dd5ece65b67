package wheel

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sync/semaphore"

	"vpk/internal/cas"
	"vpk/internal/inflate"
	"vpk/internal/testwheel"
	"vpk/internal/transport"
)

// benchWheel has about 25 MB in 1,000 modules and a few large members.
func benchWheel() *testwheel.Builder {
	b := testwheel.New("bench", "1")
	for i := range 1000 {
		b.File(fmt.Sprintf("bench/m%03d.py", i), text(15_000+i))
	}
	for i := range 5 {
		b.File(fmt.Sprintf("bench/large%d", i), text(2_000_000+i))
	}
	return b
}

// BenchmarkIndex is the whole pass: inflate, SHA-256, CRC-32, headers.
func BenchmarkIndex(b *testing.B) {
	archive := benchWheel().Bytes()
	for _, parallel := range []int64{1, 2} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass := indexing{archive: bytes.NewReader(archive), size: int64(len(archive)), slots: semaphore.NewWeighted(parallel)}
				index, err := pass.run(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(inflated(index))
			}
		})
	}
}

// BenchmarkInflate is the least that any reader must do: one reader, nothing checked.
func BenchmarkInflate(b *testing.B) {
	archive := benchWheel().Bytes()
	index := mustIndex(b, archive)
	b.SetBytes(inflated(index))
	r := inflate.NewReader()
	for b.Loop() {
		for _, m := range index.Members {
			r.Reset(bytes.NewReader(archive[m.Offset : m.Offset+m.Compressed]))
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func inflated(index *Index) (n int64) {
	for _, m := range index.Members {
		n += m.Size
	}
	return n
}

// BenchmarkDecodeIndex is what a warm cache costs.
func BenchmarkDecodeIndex(b *testing.B) {
	record := mustIndex(b, benchWheel().Bytes()).encode()
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeIndex(record); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFetch downloads from loopback into an empty cache, and again from the full one.
func BenchmarkFetch(b *testing.B) {
	wheel := benchWheel()
	server := testwheel.NewServer(b)
	ref := refOf(b, wheel)
	ref.URL = server.AddWheel(wheel)
	client, err := transport.New(transport.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	fetch := func(b *testing.B, s *Store) {
		w, err := s.Fetch(b.Context(), ref)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	newStore := func(b *testing.B, dir string) *Store {
		cache, err := cas.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		return NewStore(cache, client, Options{})
	}
	b.Run("cold", func(b *testing.B) {
		b.SetBytes(ref.Size)
		for b.Loop() {
			dir, err := os.MkdirTemp(b.TempDir(), "")
			if err != nil {
				b.Fatal(err)
			}
			fetch(b, newStore(b, dir))
		}
	})
	b.Run("warm", func(b *testing.B) {
		s := newStore(b, b.TempDir())
		fetch(b, s)
		for b.Loop() {
			fetch(b, s)
		}
	})
}
