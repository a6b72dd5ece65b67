// Package sandbox starts one program in a throwaway container: the compiler of bytecode, or an image that someone wants
// to try. The container is the unpacked root file system of an image on this host; the package does not unpack.
//
// # Profiles
//
// Compile is for work whose result must depend on nothing but its input: the root read-only, no network, no process and
// nothing of the host but the devices null, zero, full, random and urandom; no /proc; user and group 65534; umask 022;
// limits of memory, stack and processes. Run is for trying an image: the host's network with its resolv.conf and hosts, a
// private /proc where the kernel allows one, empty writable /tmp and /dev/shm, the image's user; the root is read-only
// here too. File owners are not reproduced: unpacked files belong to whoever unpacked them.
//
// # Engines
//
// Namespaces: user, mount, PID, IPC and, for Compile, network and UTS namespaces, without a daemon and without root. The
// new root is a tmpfs in which each entry of the image's root is bound read-only. The image's user is the caller's; under
// root it is the host's 65534, so the root must be readable by everyone, as the roots of images are: with the host's root
// behind it a program could write to /proc/sys. (Root without a 65534, as after unshare -r, remains the root of its
// namespace, whose processes the kernel does not limit.) Needs Linux 5.14:
// mount_setattr, and limits of processes that count inside the namespace only.
//
// Direct: for hosts that refuse namespaces, as most containers of CI services do. The root's own loader runs the root's
// own program; paths are the host's (ROOT/usr/lib/...), the interpreter is told by PYTHONHOME. Landlock, as far as the
// kernel has it, shows the root and the devices only. Without Landlock (before Linux 5.13) the host's files are visible,
// and to a compiler that foreign code has taken over as writable as to the user; and an absolute link among the root's
// libraries would lead to the host's. The caller's root keeps no capability but to read. Compile only: absolute paths of the
// image do not exist. The number of processes is not limited: the kernel would count all of the user's.
//
// Docker and Podman: the engine's command line; the root is imported once, as an image named by RootID. The engine adds
// PATH, HOSTNAME and HOME (Podman also TERM and container) to the environment, /proc, /sys, more devices and files like /etc/hosts. Memory is
// limited for the whole container, not for each process.
//
// Interpreter: a program of the host that the user names stands in for Args[0]. Nothing of the root is used; the host is
// visible, read-only where the kernel has Landlock. Compile only.
//
// Compile under namespaces, direct and interpreter has a system call filter: no sockets, no new namespaces or mounts, no
// tracing, no leaving the process group (filter_linux.go has the list).
//
// # Ends
//
// When ctx ends, the program and all of its descendants are killed. They also are when this process dies, however that
// happens: a program in namespaces is the first of its PID namespace and has the parent-death signal; the others have a
// supervisor, this program started once more, which kills the process group or the container when its pipe closes. Mounts
// exist in the program's namespace only and go with it. In a PID namespace signals whose action is the default one do
// nothing to the program, except SIGKILL: as in any container, a server must handle SIGTERM itself.
//
// # Stages
//
// Between the start of a process and the program there is work to do inside it, so this program starts itself again.
// main must call Init before anything else, and so must TestMain of tests that start sandboxes.
//
// Not done: unpacking, removing imported images, terminals of their own, cgroups, emulation of other architectures.
// Linux only.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"vpk/internal/cas"
)

// Profile is what the program may see and do.
type Profile int

// The profiles; see the package comment.
const (
	Compile Profile = iota
	Run
)

func (p Profile) String() string {
	if p == Run {
		return "run"
	}
	return "compile"
}

// Command is a program to start.
type Command struct {
	// Root is the unpacked root file system, an absolute path of the host.
	Root string
	// RootID names the root's content, for engines that import it: two roots of one id are the same.
	RootID string
	// Args is the program and its arguments. The program is a path in the image, or a name to be found in Env's PATH.
	Args []string
	// Env is the whole environment, KEY=VALUE.
	Env []string
	// Dir is the working directory, a path in the image; "/" when empty.
	Dir string
	// UID and GID are the image's user, for Run. Compile ignores them.
	UID, GID int
	Profile  Profile
	Binds    []Bind
	Limits   Limits
	// Stdin may be nil for none. A file is passed on as it is; another reader is copied, and Wait does not wait for it.
	Stdin io.Reader
	// Stdout and Stderr may be nil to discard. Files are passed on as they are.
	Stdout, Stderr io.Writer
}

// Bind shows a file or directory of the host in the container.
type Bind struct {
	Host     string // absolute path of the host, must exist
	Image    string // absolute path in the image; made when it is missing
	Writable bool
}

// Limits bound what the program takes. Zero means the profile's default: Compile has CompileLimits, Run has no limits.
type Limits struct {
	Memory    int64 // bytes of address space of each process
	Stack     int64 // bytes of its first thread's stack
	Processes int
}

// CompileLimits are the defaults of Compile. The stack is Linux's default: with the caller's own, what nests deeply would
// compile here and crash the compiler there.
var CompileLimits = Limits{Memory: 4 << 30, Stack: 8 << 20, Processes: 128}

// Sandbox is one way to have a container.
type Sandbox interface {
	// Name is the engine's: namespaces, direct, docker, podman, or the path of an interpreter.
	Name() string
	// Start starts the program and returns when it runs, or with the reason why it can't. When ctx ends, everything that
	// was started is killed. Wait must be called.
	Start(ctx context.Context, c Command) (Process, error)
}

// Process is a program that was started. Its methods may be called from any goroutine.
type Process interface {
	// Wait returns when the program and all of its descendants are gone and its output has been written: nil when its exit
	// status was 0, an *ExitError when it was not, and an error that wraps the context's cause when ctx ended first.
	Wait() error
	// Signal sends a signal to the program; os.ErrProcessDone when it has ended. SIGKILL kills all of its descendants too.
	// What a terminal sends (Ctrl-C) does not reach the program by itself.
	Signal(sig os.Signal) error
}

// ExitError says how a program ended that did not end well.
type ExitError struct {
	Program string         // Args[0]
	Code    int            // exit status, -1 when a signal ended it
	Signal  syscall.Signal // 0 when it ended by itself
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%q was killed by signal %d (%v)", e.Program, int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("%q ended with exit status %d", e.Program, e.Code)
}

// ExitCode is the exit status, -1 when a signal ended the program.
func (e *ExitError) ExitCode() int { return e.Code }

// Options say which sandbox is wanted.
type Options struct {
	// Choice is auto (or empty), namespaces, direct, docker, podman, or the absolute path of an interpreter of the host.
	Choice string
	// Cache remembers which engines work. It may be nil.
	Cache *cas.Store
	// BootID names the boot of this host, for what Cache remembers: the content of /proc/sys/kernel/random/boot_id.
	BootID string
	// Trial is a command that shows that the engine works, by ending with exit status 0. Stdin is not used.
	Trial Command
}

// checked is c with its defaults, or what is wrong with it.
func (c Command) checked() (Command, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !filepath.IsAbs(c.Root) {
		bad("root %q is not an absolute path", c.Root)
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		bad("there is no program to start")
	}
	for _, s := range append(append([]string{c.Root, c.Dir}, c.Args...), c.Env...) {
		if strings.ContainsRune(s, 0) {
			bad("%q contains a NUL byte", s)
		}
	}
	for _, e := range c.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			bad("environment entry %q is not KEY=VALUE", e)
		}
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	if !filepath.IsAbs(c.Dir) {
		bad("working directory %q is not an absolute path", c.Dir)
	}
	for _, b := range c.Binds {
		if !filepath.IsAbs(b.Host) || !filepath.IsAbs(b.Image) || filepath.Clean(b.Image) == "/" {
			bad("bind of %q to %q: both must be absolute paths, the latter below the root", b.Host, b.Image)
		}
	}
	if c.Profile == Compile {
		c.UID, c.GID = nobody, nobody
		if c.Limits.Memory == 0 {
			c.Limits.Memory = CompileLimits.Memory
		}
		if c.Limits.Stack == 0 {
			c.Limits.Stack = CompileLimits.Stack
		}
		if c.Limits.Processes == 0 {
			c.Limits.Processes = CompileLimits.Processes
		}
	}
	return c, errors.Join(errs...)
}

// nobody is the user and group that owns nothing, by convention.
const nobody = 65534
