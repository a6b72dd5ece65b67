package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Registration is what a room says of a kind of its own.
type Registration struct {
	Kind Kind
	// With is a kind of the same room: entries of the two that have one key leave together. The zero Kind is none.
	With Kind
	// Verify proves an entry: nil, an error that wraps ErrDamaged, or any other where it can't be told.
	Verify func(ctx context.Context, e Proof) error
}

// ErrDamaged says that an entry is not what it must be.
var ErrDamaged = errors.New("damaged")

// ErrUnknown says that nothing here can tell whether an entry is what it must be.
var ErrUnknown = errors.New("not checked")

// Finding is an entry that is not known to be as it must be.
type Finding struct {
	Entry
	Err error // wraps ErrDamaged or ErrUnknown, else it is why the entry can't be read
}

// Verify proves entries of the cache's own, side by side, and calls progress with the size of each. The findings are in the
// entries' order; checked is how many entries were proved. The error is that of ctx.
func (s *Store) Verify(ctx context.Context, list []Entry, kinds []Registration, progress func(int64)) (checked int, findings []Finding, err error) {
	verify := map[string]func(context.Context, Proof) error{shadowKind.dir(): IsRecord}
	for _, k := range kinds {
		verify[k.Kind.dir()] = k.Verify
	}
	errs := make([]error, len(list))
	gone := make([]bool, len(list))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for i, e := range list {
		if ctx.Err() != nil {
			break
		}
		prove := verify[e.dir()]
		if prove == nil {
			errs[i] = fmt.Errorf("%w: this vpk does not know %s-v%d", ErrUnknown, e.Kind, e.Version)
			continue
		}
		group.Go(func() error {
			err := prove(ctx, Proof{Key: e.Key, Path: e.path, store: s})
			if _, statErr := os.Lstat(e.path); errors.Is(statErr, fs.ErrNotExist) {
				err, gone[i] = nil, true // others may discard it meanwhile
			}
			errs[i] = err
			mu.Lock()
			defer mu.Unlock()
			progress(e.Size)
			return nil
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return 0, nil, err
	}
	for i, e := range list {
		switch {
		case errs[i] != nil:
			findings = append(findings, Finding{e, errs[i]})
		case !gone[i]:
			checked++
		}
	}
	return checked, findings, nil
}
