// Package fault sorts the errors that a user can cause into kinds, and carries the line that says what to do next.
//
// A room wraps its error once, where it knows the cause: fault.New(fault.Lock, "run `uv lock`", "read %q: %w", ...).
// Whoever is above wraps with %w as usual; the command line asks KindOf and Hints when it exits. The number of a Kind is
// the exit code of the program and never changes its meaning. An error without a kind is Other. Where errors are joined,
// the first kind in order of the list decides.
package fault

import (
	"errors"
	"fmt"
)

// Kind is why a command failed; its number is the exit code.
type Kind int

// The kinds and exit codes.
const (
	Other           Kind = 1   // anything else
	Usage           Kind = 2   // usage or configuration
	Lock            Kind = 3   // lock missing, malformed or stale
	Package         Kind = 4   // a package that cannot be installed (no wheel, source to build)
	Integrity       Kind = 5   // hash mismatch or damaged archive
	Network         Kind = 6   // network
	Base            Kind = 7   // base image
	Delivery        Kind = 8   // registry, daemon, disk
	Sandbox         Kind = 9   // sandbox or compile
	NotReproducible Kind = 10  // the same input gave another result
	Collision       Kind = 11  // two wheels claim one path
	Interrupted     Kind = 130 // SIGINT or SIGTERM
)

// Error is an error with its kind and, where there is one, a hint.
type Error struct {
	Kind Kind
	Hint string // what to do next, one line, lower case, may be empty
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap implements errors.Unwrap.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind. The hint may be empty; format and args are fmt.Errorf's.
func New(kind Kind, hint, format string, args ...any) error {
	return &Error{Kind: kind, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Wrap gives an existing error a kind and a hint; nil stays nil. An inner kind is kept visible below it, but the outermost decides.
func Wrap(kind Kind, hint string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Hint: hint, Err: err}
}

// KindOf is the kind of the outermost Error in err's tree, Other where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// Hints collects the distinct hints in err's tree, outermost first.
func Hints(err error) []string {
	var hints []string
	seen := map[string]bool{}
	var walk func(error)
	walk = func(err error) {
		if e, ok := err.(*Error); ok && e.Hint != "" && !seen[e.Hint] {
			seen[e.Hint] = true
			hints = append(hints, e.Hint)
		}
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			if inner := u.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range u.Unwrap() {
				walk(inner)
			}
		}
	}
	if err != nil {
		walk(err)
	}
	return hints
}
