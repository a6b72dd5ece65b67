// Package progress is how the rooms say what they are doing without knowing whether anyone looks.
//
// A room gets a Reporter and stays silent itself. There are three: Discard; Plain, lines on a writer; and bars on a
// terminal (see bars.go). All methods may be called from any goroutine.
package progress

// Reporter receives what happens.
type Reporter interface {
	// Task announces a piece of work with an amount (bytes), 0 when the amount is not known.
	Task(name string, total int64) Task
	// Note says one line that the user should see even when all is well.
	Note(format string, args ...any)
	// Detail says one line for those who asked for more (-v).
	Detail(format string, args ...any)
}

// Task is a piece of work under way.
type Task interface {
	// Add reports n more units done; negative n takes some back (a retry).
	Add(n int64)
	// Done ends the task. Calling it again does nothing.
	Done()
}

// Discard is a Reporter that says nothing.
var Discard Reporter = discard{}

type discard struct{}

func (discard) Task(string, int64) Task { return discard{} }
func (discard) Note(string, ...any)     {}
func (discard) Detail(string, ...any)   {}
func (discard) Add(int64)               {}
func (discard) Done()                   {}
