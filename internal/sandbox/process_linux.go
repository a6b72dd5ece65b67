package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vpk/internal/fault"
	"vpk/internal/trace"
)

// patience is how long a supervisor may take to kill what it looks after, before it is killed itself.
const patience = 20 * time.Second

// process is a started program.
type process struct {
	child      *child
	supervised bool
	done       chan struct{}
	err        error // valid once done is closed
}

// start starts a stage and waits until it has become, or started, the program.
func start(ctx context.Context, b Sandbox, c Command, s stage, attr *syscall.SysProcAttr) (Process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("start %q: %w", c.Args[0], err)
	}
	span := trace.Start(ctx, trace.StartSandbox, b.Name())
	defer span.End()
	child, err := spawn(s, attr, c.Stdin, c.Stdout, c.Stderr)
	if err != nil {
		return nil, refuse(b, err)
	}
	p := &process{child: child, supervised: s.Supervise != nil, done: make(chan struct{})}
	stop := context.AfterFunc(ctx, p.kill)
	if err := child.started(p.supervised); err != nil {
		stop()
		close(p.done)
		child.close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("start %q: %w", c.Args[0], cause)
		}
		return nil, refuse(b, err)
	}
	go func() {
		defer close(p.done)
		p.err = p.outcome(c.Args[0])
		if stop(); p.err != nil && ctx.Err() != nil {
			p.err = fmt.Errorf("%w: %w", context.Cause(ctx), p.err)
		}
		child.close()
	}()
	return p, nil
}

// refuse is the error of an engine that can't start a program.
func refuse(b Sandbox, err error) error {
	return fault.Wrap(fault.Sandbox, "", fmt.Errorf("sandbox %s: %w", b.Name(), err))
}

func (p *process) Wait() error {
	<-p.done
	return p.err
}

func (p *process) Signal(sig os.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
	}
	if !p.supervised {
		return p.child.cmd.Process.Signal(sig)
	}
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("send signal %v: %w", sig, errors.ErrUnsupported)
	}
	if _, err := p.child.control.Write([]byte{byte(number)}); errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EPIPE) {
		return os.ErrProcessDone
	} else if err != nil {
		return fmt.Errorf("send signal %v: %w", sig, err)
	}
	return nil
}

// kill ends the program and its descendants. The first process of a PID namespace takes the others with it.
func (p *process) kill() {
	if !p.supervised {
		p.child.kill()
		return
	}
	_ = p.child.control.Close() // the supervisor sees it
	select {
	case <-p.done:
	case <-time.After(patience):
		p.child.kill()
	}
}

// outcome waits for the end and says how it was.
func (p *process) outcome(name string) error {
	if p.supervised {
		e, err := p.child.exit()
		if err != nil {
			return fmt.Errorf("wait for %q: %w", name, err)
		}
		return e.asError(name)
	}
	err := <-p.child.ended
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return exitOf(failed.ProcessState).asError(name)
	}
	if err != nil {
		return fmt.Errorf("wait for %q: %w", name, err)
	}
	return nil
}

func exitOf(state *os.ProcessState) *exit {
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return &exit{Code: -1, Signal: status.Signal()}
	}
	return &exit{Code: state.ExitCode()}
}

func (e *exit) asError(name string) error {
	if *e == (exit{}) {
		return nil
	}
	return &ExitError{Program: name, Code: e.Code, Signal: e.Signal}
}
