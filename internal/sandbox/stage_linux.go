package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageName is argv[0] of this program when it is a stage.
const stageName = "vpk-sandbox-stage"

// The files that a stage has beside the standard ones.
const (
	// controlFD: the stage, then one byte for each signal to pass on. Its end means that whoever started the stage is gone.
	controlFD = 3
	// reportsFD: what the stage has to say.
	reportsFD = 4
)

// stage is what this program does when it is started again: exactly one of the pointers is set.
type stage struct {
	Enclose   *enclosure
	Confine   *confinement
	Supervise *supervision
	Program   program
}

// raw is a string of any bytes, as paths and arguments are; JSON strings hold UTF-8 only.
type raw []byte

func raws(list []string) []raw {
	out := make([]raw, len(list))
	for i, s := range list {
		out[i] = raw(s)
	}
	return out
}

func texts(list []raw) []string {
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = string(r)
	}
	return out
}

// program is what a stage becomes in the end.
type program struct {
	Path   raw // empty: Args[0], found in Env's PATH when it has no slash
	Args   []raw
	Env    []raw
	Dir    raw
	Limits Limits
	Filter bool // refuse system calls, see filter_linux.go
}

// report is a line on reportsFD. A stage that becomes the program says Ready just before and nothing after, unless that
// fails; a supervisor says Ready when the program has started, and Exit in the end.
type report struct {
	Ready bool
	Error string
	Errno syscall.Errno
	Exit  *exit
}

// exit is how a program ended.
type exit struct {
	Code   int
	Signal syscall.Signal
}

// stageError is an error that happened in a stage.
type stageError struct {
	text  string
	errno syscall.Errno
}

func (e *stageError) Error() string { return e.text }

func (e *stageError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// Init turns this process into a stage of a sandbox if it was started as one, and then never returns.
func Init() {
	if len(os.Args) != 1 || os.Args[0] != stageName {
		return
	}
	// Capabilities, parent-death signal and system call filter belong to a thread: all of a stage happens on this one.
	runtime.LockOSThread()
	reports := json.NewEncoder(os.NewFile(reportsFD, "reports"))
	if err := runStage(reports); err != nil {
		var errno syscall.Errno
		_ = errors.As(err, &errno)
		_ = reports.Encode(report{Error: err.Error(), Errno: errno}) // nobody is left to tell
	}
	os.Exit(1)
}

func runStage(reports *json.Encoder) error {
	if err := closeOnExec(); err != nil {
		return err
	}
	control := os.NewFile(controlFD, "control")
	s, err := readStage(control)
	if err != nil {
		return fmt.Errorf("read the stage: %w", err)
	}
	switch {
	case s.Supervise != nil:
		return s.Supervise.run(control, reports)
	case s.Enclose != nil:
		err = s.Enclose.enter()
	case s.Confine != nil:
		err = s.Confine.enter()
	default:
		err = errors.New("a stage with nothing to do")
	}
	if err != nil {
		return err
	}
	return s.Program.exec(reports)
}

// writeStage writes s, framed: signals follow on the same pipe.
func writeStage(w io.Writer, s stage) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}

func readStage(r io.Reader) (s stage, err error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return s, err
	}
	data := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(r, data); err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// closeOnExec keeps from the program every file but the standard ones, those included that this process itself inherited.
func closeOnExec() error {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, f := range files {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// exec becomes the program. It returns only with an error.
func (p program) exec(reports *json.Encoder) error {
	if err := unix.Chdir(string(p.Dir)); err != nil {
		return fmt.Errorf("enter working directory %q: %w", string(p.Dir), err)
	}
	args, env, path := texts(p.Args), texts(p.Env), string(p.Path)
	if path == "" {
		path = args[0]
	}
	if !strings.Contains(path, "/") {
		found, err := lookPath(path, env)
		if err != nil {
			return err
		}
		path = found
	}
	// The change of user has cleared the parent-death signal. If the parent died before, its end of the pipe is closed.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}
	alive := []unix.PollFd{{Fd: controlFD, Events: unix.POLLIN}}
	if _, err := unix.Poll(alive, 0); err == nil && alive[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the parent has died")
	}
	unix.Umask(0o022)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// Before the limits: they may be less than what this process has.
	if err := reports.Encode(report{Ready: true}); err != nil {
		return err
	}
	if err := p.Limits.apply(); err != nil {
		return err
	}
	if p.Filter {
		if err := installFilter(); err != nil {
			return fmt.Errorf("install the system call filter: %w", err)
		}
	}
	return fmt.Errorf("start %q: %w", path, unix.Exec(path, args, env))
}

// lookPath finds a program in the PATH of env.
func lookPath(name string, env []string) (string, error) {
	for _, e := range env {
		if list, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, dir := range filepath.SplitList(list) {
				path := filepath.Join(dir, name)
				if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
					return path, nil
				}
			}
		}
	}
	return "", fmt.Errorf("start %q: not in PATH: %w", name, exec.ErrNotFound)
}

// apply sets the limits of this process, which its children inherit.
func (l Limits) apply() error {
	set := func(what string, resource int, value uint64) error {
		if value == 0 {
			return nil
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return fmt.Errorf("limit %s: %w", what, err)
		}
		value = min(value, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("limit %s: %w", what, err)
		}
		return nil
	}
	return errors.Join(
		set("processes", unix.RLIMIT_NPROC, uint64(l.Processes)),
		set("memory", unix.RLIMIT_AS, uint64(l.Memory)),
		set("stack", unix.RLIMIT_STACK, uint64(l.Stack)),
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
	)
}
