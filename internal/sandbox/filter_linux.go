package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are the system calls that a compiler has no use for and that reach out of the container: they fail with EPERM.
// It is a list of what is refused, not of what is allowed, because libc and interpreter may be of any age.
//
// Written out here and not through a library, because those at hand let calls of a foreign architecture (32-bit code on
// a 64-bit kernel) pass a list of this kind.
var refused = []uint32{
	// Network; io_uring can open sockets by itself.
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_IO_URING_SETUP,
	// Namespaces, mounts and other roots; see also newNamespaces.
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT,
	// Other processes; tgkill stays, abort(3) needs it. A process group that can't be left can be killed as a whole.
	unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
	unix.SYS_SETSID, unix.SYS_SETPGID,
	// Keys, and parts of the kernel that have had more holes than a compiler has uses for them.
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
}

// newNamespaces are the flags with which clone makes namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Offsets in struct seccomp_data (linux/seccomp.h), little-endian, and the bit of x32 calls on amd64.
const (
	seccompNumber = 0
	seccompArch   = 4
	seccompArg0   = 16
	x32Bit        = 0x40000000
)

// filterProgram is the filter in classic BPF, for calls of one architecture (AUDIT_ARCH_*). Calls of another one kill the
// process. clone3 does not exist under the filter, because its flags can't be seen; every libc then uses clone.
func filterProgram(arch uint32) []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		bits   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		result = unix.BPF_RET | unix.BPF_K

		fail = unix.SECCOMP_RET_ERRNO
	)
	// when gives the result if the comparison holds, and goes on to the next instruction if not.
	var prog []unix.SockFilter
	when := func(compare uint16, k, then uint32) {
		prog = append(prog, unix.SockFilter{Code: compare, Jf: 1, K: k}, unix.SockFilter{Code: result, K: then})
	}
	prog = append(prog,
		unix.SockFilter{Code: load, K: seccompArch},
		unix.SockFilter{Code: equal, Jt: 1, K: arch},
		unix.SockFilter{Code: result, K: unix.SECCOMP_RET_KILL_PROCESS},
		unix.SockFilter{Code: load, K: seccompNumber},
	)
	if arch == unix.AUDIT_ARCH_X86_64 {
		when(bits, x32Bit, fail|uint32(unix.ENOSYS))
	}
	for _, call := range refused {
		when(equal, call, fail|uint32(unix.EPERM))
	}
	when(equal, unix.SYS_CLONE3, fail|uint32(unix.ENOSYS))
	prog = append(prog,
		unix.SockFilter{Code: equal, Jf: 3, K: unix.SYS_CLONE},
		unix.SockFilter{Code: load, K: seccompArg0},
	)
	when(bits, newNamespaces, fail|uint32(unix.EPERM))
	return append(prog, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW})
}

// installFilter puts the calling thread, and what it will execute, under the filter. no_new_privs must be set.
func installFilter() error {
	arch, ok := map[string]uint32{
		"amd64":   unix.AUDIT_ARCH_X86_64,
		"arm64":   unix.AUDIT_ARCH_AARCH64,
		"riscv64": unix.AUDIT_ARCH_RISCV64,
	}[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("there is none for %s", runtime.GOARCH)
	}
	filter := filterProgram(arch)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
