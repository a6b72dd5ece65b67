package e2e

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"vpk/internal/peer"
)

// TestForeignInterpreterCompilesTheSame: the base's interpreter for arm64, which an emulator starts, compiles the standard library
// and the example to the same image as the one for this machine.
func TestForeignInterpreterCompilesTheSame(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("NOT TESTED: the foreign interpreter is the one for arm64")
	}
	emulator := peer.Tool(t, "qemu-aarch64-static")
	image := base(t, base12Multi)
	pack := func(u *user, sandbox string) report {
		return u.pack(u.example(fastapiDemo), "--base", image, "--platform", "linux/arm64", "--sandbox", sandbox, "-o", "oci:"+u.path("image"))
	}
	here := newUser(t)
	want := pack(here, "auto")
	root := here.unpackedBase(elf.EM_AARCH64)
	script := here.path("python-for-arm64")
	writeFile(t, script, fmt.Sprintf("#!/bin/sh\nexec %s -L '%s' '%s/usr/bin/python3.11' \"$@\"\n", emulator, root, root))
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	got := pack(newUser(t), script)
	if got.Bytecode.Modules != want.Bytecode.Modules || got.Bytecode.Stdlib.Modules != want.Bytecode.Stdlib.Modules || got.Bytecode.Stdlib.Cached {
		t.Errorf("compiled %+v, want %+v", got.Bytecode, want.Bytecode)
	}
	if got.Digest != want.Digest {
		t.Errorf("arm64's interpreter gives %s, this machine's %s", got.Digest, want.Digest)
	}
}

// unpackedBase is the unpacked root of a base in the user's cache, for a machine.
func (u *user) unpackedBase(machine elf.Machine) string {
	u.t.Helper()
	roots, err := filepath.Glob(filepath.Join(u.cache, "base-root-v*", "*", "*"))
	if err != nil {
		u.t.Fatal(err)
	}
	for _, root := range roots {
		f, err := elf.Open(filepath.Join(root, "usr/bin/python3.11"))
		if err != nil {
			continue
		}
		_ = f.Close()
		if f.Machine == machine {
			return root
		}
	}
	u.t.Fatalf("no root for %s in %q", machine, roots)
	return ""
}
