package pyc

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/pyc/marshal"
	"vpk/wheel/tag"
)

//go:embed worker.py
var workerSource string

const (
	// startLimit is how long an interpreter may take to say what it is.
	startLimit = 2 * time.Minute
	// moduleLimit is how long a child may take over one module. It is there against hanging for ever, and far beyond what a
	// loaded machine needs, since it ends the build; uv gives a module 60 s (UV_COMPILE_BYTECODE_TIMEOUT).
	moduleLimit = 5 * time.Minute
	// sliceLimit is how long a worker may take over one slice, should its child not end by itself.
	sliceLimit = 15 * time.Minute
	// tries is how often a slice is given to a worker.
	tries = 2
)

// Process is a started interpreter.
type Process interface {
	// Wait returns when the process has ended: nil if its exit status is 0.
	Wait() error
}

// Launcher starts the interpreter with these arguments, this environment and nothing else of the host's. The process ends
// at the latest when ctx does.
type Launcher func(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (Process, error)

// Arguments are the worker's command line after the interpreter's path, and its whole environment.
func Arguments() (args, env []string) {
	return []string{"-S", "-s", "-B", "-c", workerSource}, []string{
		"PYTHONHASHSEED=0", "LANG=C.UTF-8",
		// For glibc (mallopt(3)): memory of one module serves the next, as to give it back and get it again costs an eighth of all page faults.
		"MALLOC_TRIM_THRESHOLD_=268435456", "MALLOC_TOP_PAD_=1048576", "MALLOC_MMAP_THRESHOLD_=268435456",
	}
}

// Interpreter is what a worker says of itself.
type Interpreter struct {
	CacheTag string // "cpython-311"
	Magic    []byte // the first four bytes of its bytecode files
	Version  string // sys.version, whole
}

// ID names everything that bytecode depends on beside its source: the build of the interpreter.
func (i Interpreter) ID() string { return i.CacheTag + " " + i.Version }

// format is how it marshals code.
func (i Interpreter) format() (*marshal.Format, error) {
	format, ok := marshal.For(i.CacheTag)
	if !ok {
		return nil, unsupported(i.CacheTag)
	}
	return format, nil
}

// Supports reports whether bytecode of a CPython of this minor can be made: nil, or what to do instead.
func Supports(python tag.Python) error {
	cacheTag := fmt.Sprintf("cpython-%d%d", python.Major, python.Minor)
	if _, ok := marshal.For(cacheTag); !ok {
		return unsupported("CPython " + python.String())
	}
	return nil
}

func unsupported(what string) error {
	return fault.New(fault.Sandbox, "leave bytecode out (--no-bytecode), or use another base image", "no bytecode can be made for %s: only for %s", what, marshal.Formats)
}

var interpreterKind = cas.Kind{Name: "interpreter", Version: 1}

// pool holds the workers. A worker does one slice at a time.
type pool struct {
	cache  *cas.Store
	root   string
	size   int
	accept func(Interpreter) error
	start  func() (*worker, error)
	limit  time.Duration // of a slice
	module time.Duration // of a module
	turns  turns         // one for each worker that may exist

	mu     sync.Mutex
	idle   []*worker
	known  *Interpreter
	failed error // of a worker that could not be started: the next could not either
}

func newPool(ctx context.Context, cache *cas.Store, o Options) *pool {
	p := &pool{cache: cache, root: o.Root, size: max(o.Workers, 1), accept: o.Accept, limit: sliceLimit, module: moduleLimit}
	p.turns.free = p.size
	p.start = func() (*worker, error) { return startWorker(ctx, o.Launch) }
	return p
}

// acquire takes an idle worker or starts one, when it is the turn of a part of that weight.
func (p *pool) acquire(ctx context.Context, weight int64) (*worker, error) {
	if err := p.turns.take(ctx, weight); err != nil {
		return nil, err
	}
	p.mu.Lock()
	var w *worker
	if n := len(p.idle); n > 0 {
		w, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	err := p.failed
	p.mu.Unlock()
	if w != nil {
		return w, nil
	}
	if err == nil {
		w, err = p.startKnown()
	}
	if err != nil {
		p.turns.give()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p.mu.Lock()
		p.failed = err
		p.mu.Unlock()
		return nil, err
	}
	return w, nil
}

// startKnown starts a worker whose interpreter is the one that is expected.
func (p *pool) startKnown() (*worker, error) {
	w, err := p.start()
	if err != nil {
		return nil, err
	}
	if err := p.learn(w.interpreter); err != nil {
		_ = w.kill() // it says that it was killed
		return nil, err
	}
	return w, nil
}

// release gives a worker back; a dead one is forgotten.
func (p *pool) release(w *worker, alive bool) {
	if alive {
		p.mu.Lock()
		p.idle = append(p.idle, w)
		p.mu.Unlock()
	} else {
		w.kill()
	}
	p.turns.give()
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, w := range p.idle {
		errs = append(errs, w.close())
	}
	p.idle = nil
	return errors.Join(errs...)
}

// learn notes who the interpreter is, and refuses one that is another than before. One that was accepted once is not judged again.
func (p *pool) learn(i Interpreter) error {
	if known, err := p.remembered(); err != nil || known != nil && known.ID() == i.ID() {
		return err
	}
	if p.accept != nil {
		if err := p.accept(i); err != nil {
			return err
		}
	}
	if _, err := i.format(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		if p.known.ID() != i.ID() {
			return fault.New(fault.Sandbox, "use the interpreter of the base image", "the interpreter that compiles is %q, the base's is %q", i.ID(), p.known.ID())
		}
		return nil
	}
	p.known = &i
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return p.cache.PutRecord(interpreterKind, cas.Key("interpreter", p.root), data)
}

// remembered is the interpreter that compiled, or was accepted, before; nil where none is known.
func (p *pool) remembered() (*Interpreter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	data, err := p.cache.Record(interpreterKind, cas.Key("interpreter", p.root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var i Interpreter
	if json.Unmarshal(data, &i) == nil {
		p.known = &i
	}
	return p.known, nil
}

func (p *pool) identify(ctx context.Context) (Interpreter, error) {
	if known, err := p.remembered(); err != nil {
		return Interpreter{}, err
	} else if known != nil {
		return *known, nil
	}
	w, err := p.acquire(ctx, math.MaxInt64) // everyone waits for that
	if err != nil {
		return Interpreter{}, err
	}
	p.release(w, true)
	return w.interpreter, nil
}

// compile compiles one slice into answers. A process that died or hung is not the answer to anything: the slice is given to
// another one. Where that dies, too, the module is found at which it happened, by halving if need be: since bytecode is
// canonical, modules may be compiled in any company. If it was the compiler itself that crashed, both times at that module
// and of the same fault, that is what the module gets for an answer; else the build fails. What an image lacks must not depend
// on what else the machine was doing.
func (p *pool) compile(ctx context.Context, s slice, answers []answer) error {
	for len(s.modules) > 0 {
		first, err := p.attempt(ctx, s, answers)
		if first == nil {
			return err
		}
		died := first
		for try := 1; try < tries && died != nil; try++ {
			if died, err = p.attempt(ctx, s, answers); err != nil {
				return err
			}
		}
		switch {
		case died == nil:
			return nil
		case died.at < 0 && len(s.modules) > 1:
			half := len(s.modules) / 2
			if err := p.compile(ctx, s.part(0, half), answers[:half]); err != nil {
				return err
			}
			s, answers = s.part(half, len(s.modules)), answers[half:]
			continue
		}
		at := max(died.at, 0)
		if !died.isCrash() || first.at != died.at || first.signal != died.signal {
			return fault.New(fault.Sandbox, "see whether the machine is short of memory or of time; a module can be left out ([tool.vpk.bytecode] exclude), and so can all bytecode (--no-bytecode)",
				"%s (tried %d times, at %q)", died, tries, s.place(at))
		}
		answers[at] = answer{reason: fmt.Sprintf("%s (tried %d times)", died, tries)}
		s, answers = s.part(at+1, len(s.modules)), answers[at+1:]
	}
	return nil
}

// attempt gives a slice to a worker, once. A death is no error.
func (p *pool) attempt(ctx context.Context, s slice, answers []answer) (*deathError, error) {
	turn := trace.Wait(ctx)
	w, err := p.acquire(ctx, s.weight)
	if err != nil {
		return nil, err
	}
	span := turn.Start(trace.Compile, s.of)
	span.Bytes(s.size())
	err = w.compile(ctx, p.limit, s, answers)
	span.End()
	p.release(w, err == nil)
	var died *deathError
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &died):
		died.reason += w.stderr.String() // whole, now that the worker has ended
		return died, nil
	}
	return nil, err
}

// worker is one interpreter at work.
type worker struct {
	interpreter Interpreter
	process     Process
	cancel      context.CancelFunc
	in          *os.File
	out         *os.File
	stderr      *tail
}

func startWorker(ctx context.Context, launch Launcher) (*worker, error) {
	ctx, cancel := context.WithCancel(ctx)
	stdin, in, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start compile worker: %w", err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start compile worker: %w", err), stdin.Close(), in.Close())
	}
	w := &worker{cancel: cancel, in: in, out: out, stderr: &tail{}}
	args, env := Arguments()
	w.process, err = launch(ctx, args, env, stdin, stdout, w.stderr)
	closeErr := errors.Join(stdin.Close(), stdout.Close())
	if err != nil {
		cancel()
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	span := trace.Start(ctx, trace.StartInterpreter, "")
	defer span.End()
	if err := out.SetReadDeadline(time.Now().Add(startLimit)); err == nil {
		w.interpreter, err = readHello(out)
		closeErr = errors.Join(closeErr, err)
	}
	if closeErr != nil {
		said := w.kill()
		return nil, fault.Wrap(fault.Sandbox, "what is started must be a CPython; see --sandbox", fmt.Errorf("start compile worker: %w%s", errors.Join(closeErr, said), w.stderr))
	}
	return w, nil
}

// deathError says that a worker or its child did not live to answer.
type deathError struct {
	at     int            // the module, counted in its slice, that was being compiled; -1 where that is not known
	signal syscall.Signal // that ended the child; 0 where it was none, or not known
	reason string
}

func (e *deathError) Error() string { return e.reason }

// isCrash reports whether the compiler ran into a fault of its own.
func (e *deathError) isCrash() bool {
	switch e.signal {
	case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGABRT:
		return e.at >= 0
	}
	return false
}

func (w *worker) compile(ctx context.Context, limit time.Duration, s slice, answers []answer) error {
	if err := w.setDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.setDeadline(time.Unix(1, 0)) })
	defer stop()
	err := s.write(w.in)
	if err != nil && !isPipe(err) {
		return err
	}
	if err == nil {
		err = readAnswers(w.out, answers)
	}
	died := &deathError{at: -1}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &died):
	case errors.Is(err, os.ErrDeadlineExceeded):
		died.reason = fmt.Sprintf("the compile worker did not answer in %s", limit)
	default:
		died.reason = fmt.Sprintf("the compile worker died: %v", err)
	}
	return died
}

func (w *worker) setDeadline(t time.Time) error {
	return errors.Join(w.in.SetWriteDeadline(t), w.out.SetReadDeadline(t))
}

// close ends an idle worker in peace.
func (w *worker) close() error {
	err := w.in.Close()
	err = errors.Join(err, w.process.Wait(), w.out.Close())
	w.cancel()
	return err
}

// kill ends a worker at once and returns what its process says.
func (w *worker) kill() error {
	w.cancel()
	err := w.process.Wait()
	return errors.Join(err, w.in.Close(), w.out.Close())
}

// tail keeps the end of what a worker says on stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text); n > 2048 {
		t.text = append([]byte(nil), t.text[n-2048:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if said := strings.TrimSpace(string(t.text)); said != "" {
		return ": " + said
	}
	return ""
}
