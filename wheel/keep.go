package wheel

import (
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// keepBudget is how much of new wheels is kept in memory, over all of them at a time.
	keepBudget = 32 << 20
	// keepSmall is the size below which members are kept, keepModule that for modules: what is compressed anew for layers, and what is
	// compiled.
	keepSmall  = 32 << 10
	keepModule = 512 << 10
)

// keep has small members of a new wheel in memory, from when they were proved until Forget, so that who compiles and compresses them
// next need not inflate them again.
type keep struct {
	budget *atomic.Int64 // of all wheels: what is left

	mu       sync.Mutex
	contents map[int64][]byte // by place in the archive
	size     int64
	over     bool // nothing is kept any more
}

func newKeep(budget *atomic.Int64) *keep { return &keep{budget: budget, contents: map[int64][]byte{}} }

// room is where to put a member's content, nil where it is not to be kept. A nil keep has none.
func (k *keep) room(h *header) []byte {
	if k == nil || h.size == 0 || h.size >= keepSmall && (h.size >= keepModule || !strings.HasSuffix(h.name, ".py")) {
		return nil
	}
	if k.budget.Add(-h.size) < 0 {
		k.budget.Add(h.size)
		return nil
	}
	return make([]byte, 0, h.size)
}

// put keeps a content that was proved, in the room that there was for it; without ok it gives that back.
func (k *keep) put(h *header, content []byte, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !ok || k.over {
		k.budget.Add(h.size)
		return
	}
	k.contents[h.offset] = content
	k.size += h.size
}

// get gives the content at a place; nil where it is not kept. A nil keep has none.
func (k *keep) get(offset int64) []byte {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.contents[offset]
}

// drop forgets all.
func (k *keep) drop() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.budget.Add(k.size)
	k.contents, k.size, k.over = nil, 0, true
}
