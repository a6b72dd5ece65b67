package progress

import (
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Bars draws a bar for each task on a terminal; lines go above the bars. A bar vanishes when its task is done.
type Bars struct {
	container *mpb.Progress
	plain     *Plain
}

// NewBars draws on w, which must be a terminal. Close must be called before anything else writes there.
func NewBars(w io.Writer, verbose bool) *Bars {
	container := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	return &Bars{container: container, plain: NewPlain(container, false, verbose)}
}

// Close removes the bars and flushes the lines.
func (b *Bars) Close() { b.container.Shutdown() }

// Note implements Reporter.
func (b *Bars) Note(format string, args ...any) { b.plain.Note(format, args...) }

// Detail implements Reporter.
func (b *Bars) Detail(format string, args ...any) { b.plain.Detail(format, args...) }

// Task implements Reporter. A task of unknown amount has no bar.
func (b *Bars) Task(name string, total int64) Task {
	if total <= 0 {
		return b.plain.Task(name, total)
	}
	if runes := []rune(name); len(runes) > 40 {
		name = string(runes[:39]) + "…"
	}
	bar := b.container.New(total, mpb.BarStyle().Rbound("|").Lbound("|"), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 42, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f")))
	return &barTask{bar: bar}
}

type barTask struct {
	bar  *mpb.Bar
	once sync.Once
}

func (t *barTask) Add(n int64) { t.bar.IncrInt64(n) }

func (t *barTask) Done() { t.once.Do(func() { t.bar.Abort(true) }) }

var (
	_ Reporter = (*Bars)(nil)
	_ Reporter = (*Plain)(nil)
)
