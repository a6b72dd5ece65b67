// Probe is the program in the containers of the sandbox's tests: static, and the only file there. Its first argument says
// what to do; what it finds out it prints.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

var probes = map[string]func(args []string){
	"args":    func(args []string) { fmt.Printf("%q\n", args) },
	"calls":   calls,
	"caps":    caps,
	"cat":     func([]string) { check(second(io.Copy(os.Stdout, os.Stdin))) },
	"devices": devices,
	"dial":    func(args []string) { fmt.Println(can(second(net.DialTimeout("tcp", args[0], 3*time.Second)))) },
	"env":     env,
	"exit":    exit,
	"family":  family,
	"forks":   forks,
	"first":   first,
	"list":    list,
	"memory":  memory,
	"mkdir":   each(func(path string) error { return os.Mkdir(path, 0o777) }),
	"open":    each(func(path string) error { return second(os.Open(path)) }),
	"pid":     func([]string) { fmt.Println(os.Getpid()) },
	"print":   func(args []string) { fmt.Print(args[0]); fmt.Fprint(os.Stderr, args[1]) },
	"read":    read,
	"stack":   stack,
	"status":  status,
	"term":    term,
	"write":   each(func(path string) error { return os.WriteFile(path, []byte("x"), 0o666) }),
}

func main() { probes[os.Args[1]](os.Args[2:]) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(120)
	}
}

func second[T any](_ T, err error) error { return err }

func can(err error) string {
	if err != nil {
		return "no"
	}
	return "yes"
}

// each says for each path whether something can be done.
func each(do func(path string) error) func([]string) {
	return func(paths []string) {
		for _, path := range paths {
			fmt.Println(path, can(do(path)))
		}
	}
}

func exit(args []string) {
	code, err := strconv.Atoi(args[0])
	check(err)
	os.Exit(code)
}

// first exits like exit if it is the first process, and well if not.
func first(args []string) {
	if os.Getpid() == 1 {
		exit(args)
	}
}

func env([]string) {
	entries := os.Environ()
	slices.Sort(entries)
	for _, e := range entries {
		fmt.Printf("%q\n", e)
	}
}

func read(args []string) {
	data, err := os.ReadFile(args[0])
	check(err)
	fmt.Print(string(data))
}

func list(args []string) {
	check(filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		fmt.Println(path)
		return err
	}))
}

func status([]string) {
	dir, err := os.Getwd()
	check(err)
	groups, err := syscall.Getgroups()
	check(err)
	fmt.Printf("dir=%s uid=%d gid=%d groups=%d umask=%03o\n", dir, os.Getuid(), os.Getgid(), len(groups), syscall.Umask(0))
}

// devices says of each device whether it does what it should.
func devices([]string) {
	for _, name := range []string{"full", "random", "urandom", "zero"} {
		f, err := os.Open("/dev/" + name)
		check(err)
		data := make([]byte, 64)
		check(second(io.ReadFull(f, data)))
		zeros := strings.Trim(string(data), "\x00") == ""
		fmt.Println(name, zeros == (name == "zero" || name == "full"))
	}
	f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check(err)
	check(second(f.WriteString("gone")))
	_, err = f.Read(make([]byte, 1))
	fmt.Println("null", errors.Is(err, io.EOF))
}

// fork makes a process that does nothing but hold on to what it inherited, and have descendants of the same kind.
func fork(descendants int) syscall.Errno {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return errno
	}
	// In the child there is no Go runtime to speak of: system calls only.
	for range descendants {
		if pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0); errno != 0 || pid != 0 {
			break
		}
	}
	for {
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// family has a child and a grandchild, and waits.
func family([]string) {
	if errno := fork(1); errno != 0 {
		check(errno)
	}
	time.Sleep(50 * time.Millisecond) // for the grandchild; nothing depends on it
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// forks has children until it gets no more, or as many as it was told.
func forks(args []string) {
	most, err := strconv.Atoi(args[0])
	check(err)
	for n := range most {
		if errno := fork(0); errno != 0 {
			fmt.Println("refused", errno == syscall.EAGAIN, n > 0)
			return
		}
	}
	fmt.Println("allowed")
}

// memory takes all that it gets.
func memory([]string) {
	fmt.Println("started")
	var kept [][]byte
	for {
		block := make([]byte, 16<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		kept = append(kept, block)
	}
}

// caps tells the capabilities of this process, and those that it may pass on.
func caps([]string) {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		check(errno)
	}
	fmt.Printf("%#x %#x\n", uint64(data[1].effective)<<32|uint64(data[0].effective), uint64(data[1].permitted)<<32|uint64(data[0].permitted))
}

// stack tells the limit of the stack.
func stack([]string) {
	var limit syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_STACK, &limit))
	fmt.Println(limit.Cur, limit.Max)
}

// term ends in its own way when it is asked to.
func term([]string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	fmt.Println("ready")
	<-asked
	os.Exit(7)
}

// calls says how system calls end that reach out of a container.
func calls([]string) {
	const newUser = 0x10000000
	for _, call := range []struct {
		name       string
		number, a0 uintptr
	}{
		{"clone", syscall.SYS_CLONE, newUser | uintptr(syscall.SIGCHLD)},
		{"clone3", 435, 0},
		{"kill", syscall.SYS_KILL, 1},
		{"ptrace", syscall.SYS_PTRACE, 0},
		{"setsid", syscall.SYS_SETSID, 0},
		{"socket", syscall.SYS_SOCKET, syscall.AF_UNIX},
		{"unshare", syscall.SYS_UNSHARE, newUser},
	} {
		_, _, errno := syscall.RawSyscall(call.number, call.a0, 0, 0)
		fmt.Println(call.name, errno)
	}
}
