package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// inUse is the name of the lock that says that a cache is in use.
const inUse = "in-use"

// pollInterval is how often a lock that another process holds is asked for.
const pollInterval = 50 * time.Millisecond

// Share says that this process uses the cache, until Release or its end. While another one has it alone this waits, after a
// call of waiting. A cache that can't be written needs no lock: nobody removes anything there.
func (s *Store) Share(ctx context.Context, waiting func()) error {
	err := s.hold(ctx, (*flock.Flock).TryRLock, waiting)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}

// Exclude waits until no other process uses the cache, after a call of waiting if need be, and keeps others from it until
// Release. What this process held before is released.
func (s *Store) Exclude(ctx context.Context, waiting func()) error {
	return s.hold(ctx, (*flock.Flock).TryLock, waiting)
}

func (s *Store) hold(ctx context.Context, try func(*flock.Flock) (bool, error), waiting func()) error {
	if err := s.Release(); err != nil {
		return err
	}
	// Who may not write a file may lock it all the same.
	lock := flock.New(filepath.Join(s.dir, "locks", inUse), flock.SetFlag(os.O_CREATE|os.O_RDONLY), flock.SetPermissions(0o644))
	for told := false; ; told = true {
		ok, err := try(lock)
		if err != nil {
			return fmt.Errorf("lock cache: %w", Fault(err))
		}
		if ok {
			s.held = lock
			return nil
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// Release ends Share and Exclude. It may be called at any time, by the goroutine that called those.
func (s *Store) Release() error {
	if s.held == nil {
		return nil
	}
	err := s.held.Unlock()
	s.held = nil
	return err
}
