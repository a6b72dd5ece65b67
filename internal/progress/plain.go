package progress

import (
	"fmt"
	"io"
	"sync"
)

// Plain reports as lines: one when a task ends, none while it runs or if it never got to its first byte. It is for logs
// and pipes. Tasks below a megabyte count as details.
type Plain struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool
	quiet   bool
}

// NewPlain writes to w. quiet says nothing at all; verbose adds small tasks and details.
func NewPlain(w io.Writer, quiet, verbose bool) *Plain {
	return &Plain{w: w, quiet: quiet, verbose: verbose && !quiet}
}

func (p *Plain) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// Note implements Reporter.
func (p *Plain) Note(format string, args ...any) {
	if !p.quiet {
		p.line(format, args...)
	}
}

// Detail implements Reporter.
func (p *Plain) Detail(format string, args ...any) {
	if p.verbose {
		p.line(format, args...)
	}
}

// Task implements Reporter.
func (p *Plain) Task(name string, total int64) Task {
	return &plainTask{p: p, name: name, known: total > 0, large: total >= 1e6}
}

type plainTask struct {
	p     *Plain
	name  string
	known bool // the amount
	large bool
	once  sync.Once

	mu sync.Mutex
	n  int64
}

func (t *plainTask) Add(n int64) {
	t.mu.Lock()
	t.n += n
	t.mu.Unlock()
}

func (t *plainTask) Done() {
	t.once.Do(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		say := t.p.Detail
		if t.large {
			say = t.p.Note
		}
		switch {
		case t.n != 0:
			say("%s (%s)", t.name, Bytes(t.n))
		case !t.known:
			say("%s", t.name)
		}
	})
}

// Bytes is a size for people: "31.4 MB", decimal as registries count.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_950: // what is more would be rounded to 1000.0 kB
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 999_950_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

// Count is a number of things for people: "1 package", "2 packages".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
