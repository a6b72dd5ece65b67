package pyc

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// waitFor lets one wait and returns when it does.
func (t *turns) waitFor(ctx context.Context, weight int64, got func(error)) {
	t.mu.Lock()
	before := len(t.waiting)
	t.mu.Unlock()
	go func() { got(t.take(ctx, weight)) }()
	for {
		t.mu.Lock()
		n := len(t.waiting)
		t.mu.Unlock()
		if n > before {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLargePartsComeFirst(t *testing.T) {
	turns := &turns{free: 1}
	if err := turns.take(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var order []int
	var mu sync.Mutex
	var done sync.WaitGroup
	weights := []int64{5, 9, 5, 1, 9}
	for i, weight := range weights {
		done.Add(1)
		turns.waitFor(t.Context(), weight, func(err error) {
			defer done.Done()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			turns.give()
		})
	}
	turns.give()
	done.Wait()
	if want := []int{1, 4, 0, 2, 3}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if turns.free != 1 || len(turns.waiting) != 0 {
		t.Errorf("%d free, %d waiting", turns.free, len(turns.waiting))
	}
}

func TestWhoGivesUpKeepsNoTurn(t *testing.T) {
	turns := &turns{free: 2}
	var done sync.WaitGroup
	for n := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		done.Add(2)
		go func() {
			defer done.Done()
			if turns.take(ctx, int64(n%7)) == nil {
				turns.give()
			}
		}()
		go func() { defer done.Done(); cancel() }()
	}
	done.Wait()
	if turns.free != 2 || len(turns.waiting) != 0 {
		t.Errorf("%d free, %d waiting: want 2 and none", turns.free, len(turns.waiting))
	}
}
