package layer

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// keptLimit is how much of what was compressed just now a Builder holds in memory, in buffers: 32 MiB.
const keptLimit = 32 << 20 / copyBuffer

// kept is what a segment was compressed from, in memory until it is hashed, which is usually soon after: it need not be decompressed for
// that. It is empty, and stays so, once there is no room for more.
type kept struct {
	room   *semaphore.Weighted
	full   bool
	chunks []chunk // of the tar, in order; their buffers are full, but for the last one
	begun  bool    // the begin of the first was passed on
}

// Write implements io.Writer.
func (k *kept) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !k.full {
		last := len(k.chunks) - 1
		if last < 0 || len(k.chunks[last].data) == copyBuffer {
			if !k.room.TryAcquire(1) {
				k.drop()
				k.full = true
				break
			}
			buffer := chunkBuffers.Get().(*[copyBuffer]byte)
			k.chunks = append(k.chunks, chunk{data: buffer[:0], buffer: buffer, room: k.room})
			last++
		}
		c := &k.chunks[last]
		copied := copy(c.buffer[len(c.data):], p)
		c.data = c.buffer[:len(c.data)+copied]
		p = p[copied:]
	}
	return n, nil
}

// drop forgets what is kept; nil keeps nothing.
func (k *kept) drop() {
	if k == nil {
		return
	}
	for i, c := range k.chunks {
		if i == 0 && k.begun {
			c.buffer = nil // somebody may still be reading it
		}
		c.free()
	}
	k.chunks = nil
}

// pass passes on the next bytes, of which there are so many.
func (k *kept) pass(ctx context.Context, r *reading, size int64) error {
	for size > 0 {
		if len(k.chunks) == 0 {
			return fmt.Errorf("%w: it was made from less", errSegment)
		}
		c := k.chunks[0]
		if k.begun = size < int64(len(c.data)); k.begun {
			k.chunks[0].data = c.data[size:]
			c.data, c.buffer, c.room = c.data[:size], nil, nil
		} else {
			k.chunks = k.chunks[1:]
		}
		size -= int64(len(c.data))
		if err := r.send(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// keeper has what is kept of segments that were made and not yet hashed, by their keys.
type keeper struct {
	room *semaphore.Weighted
	mu   sync.Mutex
	kept map[string]*kept
}

func newKeeper() *keeper {
	return &keeper{room: semaphore.NewWeighted(keptLimit), kept: map[string]*kept{}}
}

// start begins to keep what a segment is made from.
func (k *keeper) start() *kept { return &kept{room: k.room} }

// put notes what was kept of a segment, all of it.
func (k *keeper) put(key string, what *kept) {
	if what.full {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[key].drop()
	k.kept[key] = what
}

// take gives what is kept of a segment, nil for nothing. It is there once.
func (k *keeper) take(key string) *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	what := k.kept[key]
	delete(k.kept, key)
	return what
}
