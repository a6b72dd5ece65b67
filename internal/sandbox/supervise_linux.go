package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// supervision is the stage that stays: it looks after a program that no PID namespace holds together. It kills the
// program when the control pipe closes, that is, when its parent wants it or has died, and ends when nothing is left.
type supervision struct {
	// Inner is a further stage, which becomes the program. All that it starts stays in one process group, or becomes this
	// process's child, and is killed in the end.
	Inner *stage
	// Or Command is a client of an engine, with this process's environment: Setup makes the container and may say why it
	// can't, Command runs it, Signal and a number sends it a signal, Cleanup removes it, dead or alive.
	Setup, Command, Signal, Cleanup []raw
	Env                             []raw
}

// supervised is what a supervision looks after.
type supervised struct {
	ended <-chan error // the result of exec.Cmd.Wait
	// signal passes a signal on; kill ends everything; finish waits until nothing is left, and may be called when ended
	// has a result.
	signal func(syscall.Signal)
	kill   func()
	finish func()
}

func (s *supervision) run(control io.Reader, reports *json.Encoder) error {
	// Nothing but the parent's end ends this process. Notify, and not Ignore: the program would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil { // there is something to do after the parent's death
		return fmt.Errorf("clear the parent-death signal: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	begin := s.client
	if s.Inner != nil {
		begin = s.inner
	}
	p, err := begin()
	if err != nil {
		return err
	}
	// The program has its own copies, and their ends should mean something to those at the other sides.
	if err := silence(); err != nil {
		p.kill()
		p.finish()
		return err
	}
	_ = reports.Encode(report{Ready: true}) // a parent that died is seen on the control pipe
	var killed atomic.Bool
	go func() {
		number := make([]byte, 1)
		for {
			if _, err := control.Read(number); err != nil || syscall.Signal(number[0]) == syscall.SIGKILL {
				killed.Store(true)
				p.kill()
				return
			}
			p.signal(syscall.Signal(number[0]))
		}
	}()
	end, err := &exit{}, <-p.ended
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		end, err = exitOf(failed.ProcessState), nil
	}
	p.finish()
	if err != nil {
		return err
	}
	if s.Inner == nil {
		end = end.ofClient(killed.Load())
	}
	_ = reports.Encode(report{Exit: end})
	os.Exit(0)
	return nil
}

// inner starts the further stage.
func (s *supervision) inner() (*supervised, error) {
	c, err := spawn(*s.Inner, &syscall.SysProcAttr{}, os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		return nil, err
	}
	group := -c.cmd.Process.Pid
	if err := c.started(false); err != nil {
		return nil, err
	}
	return &supervised{
		ended:  c.ended,
		signal: func(sig syscall.Signal) { _ = c.cmd.Process.Signal(sig) },
		kill:   func() { _ = unix.Kill(group, unix.SIGKILL) },
		// The leader has just ended, so no other group can have its number yet.
		finish: func() {
			_ = unix.Kill(group, unix.SIGKILL)
			for {
				if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
					return
				}
			}
		},
	}, nil
}

// client starts an engine's client.
func (s *supervision) client() (*supervised, error) {
	command := func(args []raw) *exec.Cmd {
		words := texts(args)
		return &exec.Cmd{Path: words[0], Args: words, Env: texts(s.Env), Dir: "/"}
	}
	// Not to be interrupted: half a command may leave a container that nobody knows of. It is removed afterwards.
	cleanup := sync.OnceFunc(func() { _ = command(s.Cleanup).Run() })
	setup := command(s.Setup)
	var said bytes.Buffer
	setup.Stdout, setup.Stderr = &said, &said
	if err := setup.Run(); err != nil {
		cleanup()
		return nil, fmt.Errorf("%s: %w", bytes.TrimSpace(said.Bytes()), err)
	}
	run := command(s.Command)
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stdout, os.Stderr
	run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ended, err := launch(run)
	if err != nil {
		cleanup()
		return nil, err
	}
	return &supervised{
		ended: ended,
		signal: func(sig syscall.Signal) {
			_ = command(append(slices.Clone(s.Signal), raw(strconv.Itoa(int(sig))))).Run() // it may just have ended
		},
		kill: func() {
			cleanup()
			_ = run.Process.Kill()
		},
		finish: cleanup,
	}, nil
}

// ofClient is how the container's program ended whose client ended so: clients tell a signal by the exit status, and may say
// anything when their container was removed before their eyes.
func (e *exit) ofClient(killed bool) *exit {
	switch {
	case killed && *e != (exit{}):
		return &exit{Code: -1, Signal: syscall.SIGKILL}
	case e.Code > 128 && e.Code <= 128+64:
		return &exit{Code: -1, Signal: syscall.Signal(e.Code - 128)}
	}
	return e
}

// silence points the standard files at nothing.
func silence() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("close standard files: %w", err)
		}
	}
	return nil
}
