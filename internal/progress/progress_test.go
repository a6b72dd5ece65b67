package progress

import (
	"bytes"
	"sync"
	"testing"
)

func TestPlain(t *testing.T) {
	for _, test := range []struct {
		quiet, verbose bool
		want           string
	}{
		{false, false, "a note 1\ndownload y (2.0 MB)\n"},
		{true, false, ""},
		{true, true, ""},
		{false, true, "a note 1\na detail 2\ndownload x (1.2 kB)\ndownload y (2.0 MB)\nunpack z\n"},
	} {
		var b bytes.Buffer
		p := NewPlain(&b, test.quiet, test.verbose)
		p.Note("a note %d", 1)
		p.Detail("a detail %d", 2)
		task := p.Task("download x", 1234)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { task.Add(617) })
		}
		wg.Wait()
		task.Done()
		task.Done()
		large := p.Task("download y", 2_000_000)
		large.Add(2_000_000)
		large.Done()
		p.Task("unpack z", 0).Done()
		p.Task("push w, refused", 5_000_000).Done()
		if b.String() != test.want {
			t.Errorf("quiet=%v verbose=%v: %q, want %q", test.quiet, test.verbose, b.String(), test.want)
		}
	}
}

func TestBarsWriteLinesAndEnd(t *testing.T) {
	var b bytes.Buffer
	bars := NewBars(&b, true)
	task := bars.Task("download ä wheel with ä näme that is fär too löng for a column", 100)
	task.Add(150)
	task.Add(-150)
	bars.Note("seen")
	task.Done()
	task.Done()
	open := bars.Task("never done", 10)
	open.Add(1)
	bars.Close()
	if b.Len() != 0 && !bytes.Contains(b.Bytes(), []byte("seen")) {
		t.Errorf("output = %q", b.String())
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 31_400_000: "31.4 MB", 1_500: "1.5 kB", 3_210_000_000: "3.21 GB",
		999_949: "999.9 kB", 999_950: "1.0 MB", 999_949_999: "999.9 MB", 999_950_000: "1.00 GB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 blobs", 1: "1 blob", 2: "2 blobs"} {
		if got := Count(n, "blob"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
