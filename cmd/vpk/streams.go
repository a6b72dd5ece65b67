package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"vpk/internal/fault"
	"vpk/internal/progress"
)

// streams is where the program reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	environ  func() []string
	started  time.Time // the process

	quiet, verbose bool
	json           bool
}

// terminal says whether stderr is a terminal that can be drawn on.
func (s *streams) terminal() bool {
	f, ok := s.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && s.getenv("TERM") != "dumb"
}

// reporter chooses bars or lines; done must be called before anything else writes to stderr.
func (s *streams) reporter() (r progress.Reporter, done func()) {
	if s.terminal() && !s.quiet {
		bars := progress.NewBars(s.err, s.verbose)
		return bars, bars.Close
	}
	return progress.NewPlain(s.err, s.quiet, s.verbose), func() {}
}

// style wraps a word in an ANSI style where that is welcome: https://no-color.org.
func (s *streams) style(code, word string) string {
	if !s.terminal() || s.getenv("NO_COLOR") != "" {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

// writeJSON prints a value as indented JSON.
func (s *streams) writeJSON(v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// exit reports err and returns the exit code.
func (s *streams) exit(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	kind := fault.KindOf(err)
	if ctx.Err() != nil {
		kind, err = fault.Interrupted, errors.New("interrupted")
	}
	hints := fault.Hints(err)
	if s.json {
		_ = s.writeJSON(struct {
			Error string   `json:"error"`
			Code  int      `json:"code"`
			Hints []string `json:"hints,omitempty"`
		}{err.Error(), int(kind), hints})
	}
	fmt.Fprintf(s.err, "%s %s\n", s.style("1;31", "vpk:"), strings.ReplaceAll(err.Error(), "\n", "\n     "))
	for _, hint := range hints {
		fmt.Fprintf(s.err, "%s %s\n", s.style("1;36", "hint:"), hint)
	}
	return int(kind)
}

// exitStatus is the exit code of a program that vpk ran, passed on as it is.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
