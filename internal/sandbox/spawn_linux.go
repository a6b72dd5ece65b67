package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// launch starts cmd on a thread of its own that lives until the process has ended: the parent-death signal comes when
// the thread dies that started the process. The channel gets the result of cmd.Wait.
func launch(cmd *exec.Cmd) (<-chan error, error) {
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

// child is this program, started again as a stage.
type child struct {
	cmd     *exec.Cmd
	control *os.File
	reports *os.File
	decoder *json.Decoder
	ended   <-chan error
}

// spawn starts a stage. The caller reads its reports with started, and then closes what is left with close.
func spawn(s stage, attr *syscall.SysProcAttr, stdin io.Reader, stdout, stderr io.Writer) (*child, error) {
	stageControl, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	reports, stageReports, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stageControl.Close(), control.Close())
	}
	attr.Pdeathsig = syscall.SIGKILL
	attr.Setsid = true // what a terminal sends is the caller's affair; it can be read from all the same
	cmd := &exec.Cmd{
		Path: "/proc/self/exe",
		Args: []string{stageName},
		// A stage lives for some milliseconds, or sleeps. Under the race detector it would sleep a second at its end.
		Env: []string{"GOGC=off", "GORACE=atexit_sleep_ms=0"},
		// What the stage may need of the host's file system it gets by absolute paths.
		Dir:         "/",
		Stdout:      stdout,
		Stderr:      stderr,
		ExtraFiles:  []*os.File{stageControl, stageReports},
		SysProcAttr: attr,
	}
	feed, err := connect(cmd, stdin)
	var ended <-chan error
	if err == nil {
		ended, err = launch(cmd)
	}
	_, _ = stageControl.Close(), stageReports.Close()
	if err != nil {
		_, _ = control.Close(), reports.Close()
		return nil, err
	}
	feed()
	c := &child{cmd: cmd, control: control, reports: reports, decoder: json.NewDecoder(reports), ended: ended}
	if err := writeStage(control, s); err != nil && !errors.Is(err, syscall.EPIPE) { // a dead stage explains itself better
		c.kill()
		<-c.ended
		c.close()
		return nil, err
	}
	return c, nil
}

// connect gives cmd its standard input. The returned function copies a reader that is no file: exec.Cmd would do it too,
// but wait for the reader although the process has ended.
func connect(cmd *exec.Cmd, stdin io.Reader) (feed func(), err error) {
	if stdin == nil {
		return func() {}, nil
	}
	if f, ok := stdin.(*os.File); ok {
		cmd.Stdin = f
		return func() {}, nil
	}
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return func() {
		go func() {
			_, _ = io.Copy(w, stdin) // a program need not read all of its input
			_ = w.Close()
		}()
	}, nil
}

// started returns when the program runs, or with the reason why it does not; then the stage has ended.
func (c *child) started(supervised bool) error {
	ready := false
	for {
		var r report
		err := c.decoder.Decode(&r)
		switch {
		case err == nil && r.Error != "":
			<-c.ended
			return &stageError{text: r.Error, errno: r.Errno}
		case err == nil && r.Ready:
			ready = true
			if supervised {
				return nil
			}
		case ready: // the pipe was closed by the program's start
			return nil
		default:
			return fmt.Errorf("the stage before the program died: %w", errors.Join(<-c.ended, err))
		}
	}
}

// exit is how the program ended, as its supervisor tells it.
func (c *child) exit() (*exit, error) {
	var r report
	err := c.decoder.Decode(&r)
	ended := <-c.ended
	switch {
	case err == nil && r.Exit != nil:
		return r.Exit, nil
	case err == nil && r.Error != "":
		return nil, &stageError{text: r.Error, errno: r.Errno}
	}
	return nil, fmt.Errorf("the supervisor died: %w", errors.Join(ended, err))
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it fails when the process has ended, which is what is wanted

func (c *child) close() { _, _ = c.control.Close(), c.reports.Close() }
