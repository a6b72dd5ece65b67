package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"
)

// evaluate runs a filter on one system call, for the instructions that filterProgram uses.
func evaluate(t *testing.T, prog []unix.SockFilter, arch, number, arg0 uint32) uint32 {
	t.Helper()
	data := map[uint32]uint32{seccompNumber: number, seccompArch: arch, seccompArg0: arg0}
	var a uint32
	for pc := 0; pc < len(prog); pc++ {
		in, hit := prog[pc], false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = data[in.K]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			hit = a == in.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			hit = a&in.K != 0
		default:
			t.Fatalf("instruction %d: unknown code %#x", pc, in.Code)
		}
		if hit {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	t.Fatal("the filter ends without a result")
	return 0
}

func TestFilterDecides(t *testing.T) {
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		kill   = unix.SECCOMP_RET_KILL_PROCESS
		refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	x86, arm := filterProgram(unix.AUDIT_ARCH_X86_64), filterProgram(unix.AUDIT_ARCH_AARCH64)
	for _, c := range []struct {
		name         string
		prog         []unix.SockFilter
		arch, nr, a0 uint32
		want         uint32
	}{
		{"read", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_READ, 0, allow},
		{"read, 32 bits", x86, unix.AUDIT_ARCH_I386, unix.SYS_READ, 0, kill},
		{"read, x32", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_READ | x32Bit, 0, absent},
		{"read, arm64", arm, unix.AUDIT_ARCH_AARCH64, unix.SYS_READ, 0, allow},
		{"read, arm 32 bits", arm, unix.AUDIT_ARCH_ARM, unix.SYS_READ, 0, kill},
		{"fork", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_CLONE, uint32(unix.SIGCHLD), allow},
		{"thread", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND, allow},
		{"clone, user namespace", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_CLONE, unix.CLONE_NEWUSER, refuse},
		{"clone, mount namespace", arm, unix.AUDIT_ARCH_AARCH64, unix.SYS_CLONE, unix.CLONE_NEWNS | uint32(unix.SIGCHLD), refuse},
		{"clone3", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_CLONE3, 0, absent},
		{"first argument of another call", x86, unix.AUDIT_ARCH_X86_64, unix.SYS_READ, unix.CLONE_NEWUSER, allow},
	} {
		if got := evaluate(t, c.prog, c.arch, c.nr, c.a0); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	for _, call := range refused {
		if got := evaluate(t, x86, unix.AUDIT_ARCH_X86_64, call, 0); got != refuse {
			t.Errorf("call %d: %#x, want %#x", call, got, refuse)
		}
	}
}
