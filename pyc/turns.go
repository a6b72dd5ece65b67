package pyc

import (
	"container/heap"
	"context"
	"sync"
)

// turns are what slices wait for: there are as many at a time as workers. Those of the largest part come first, and of parts as large
// those who came first. So a part is done before the next one is begun, of which the answers need not be held meanwhile, and what
// is left to do with a part that is compiled, which is to compress, hash and send all of its files, is little of the last ones, when there is
// nothing else to do.
type turns struct {
	mu      sync.Mutex
	free    int
	count   int
	waiting waiters
}

// waiter waits for a turn.
type waiter struct {
	weight int64
	number int           // in the order of coming
	turn   chan struct{} // closed when it has come
	at     int           // in the heap; -1 when it is there no more
}

// take waits for a turn; give ends it.
func (t *turns) take(ctx context.Context, weight int64) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	t.count++
	w := &waiter{weight: weight, number: t.count, turn: make(chan struct{})}
	heap.Push(&t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	came := w.at < 0
	if !came {
		heap.Remove(&t.waiting, w.at)
	}
	t.mu.Unlock()
	if came {
		t.give()
	}
	return ctx.Err()
}

// give passes a turn on.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	close(heap.Pop(&t.waiting).(*waiter).turn)
}

// waiters is a heap.Interface whose first is the next.
type waiters []*waiter

func (w waiters) Len() int { return len(w) }

func (w waiters) Less(i, j int) bool {
	if w[i].weight != w[j].weight {
		return w[i].weight > w[j].weight
	}
	return w[i].number < w[j].number
}

func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

// Push implements heap.Interface.
func (w *waiters) Push(x any) {
	x.(*waiter).at = len(*w)
	*w = append(*w, x.(*waiter))
}

// Pop implements heap.Interface.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	(*w)[last], *w = nil, (*w)[:last]
	x.at = -1
	return x
}
