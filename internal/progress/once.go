package progress

import (
	"fmt"
	"sync"
)

// once says each note once.
type once struct {
	Reporter

	mu   sync.Mutex
	said map[string]bool
}

// Once gives a Reporter that leaves out notes which it has passed on before: what is done for several platforms is noted for
// each of them.
func Once(r Reporter) Reporter { return &once{Reporter: r, said: map[string]bool{}} }

// Note implements Reporter.
func (o *once) Note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	o.mu.Lock()
	before := o.said[text]
	o.said[text] = true
	o.mu.Unlock()
	if !before {
		o.Reporter.Note("%s", text)
	}
}
