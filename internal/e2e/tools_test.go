package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"vpk/internal/peer"
)

// patience is how long one command may take: on a busy machine everything takes ten times as long as it should.
const patience = 3 * time.Minute

// The base images, as package peer calls them.
const (
	base12      = "BASE12"
	base12Debug = "BASE12_DEBUG"
	base12Multi = "BASE12_MULTI"
	base13      = "BASE13"
)

// base is a base image as --base takes it.
func base(t testing.TB, name string) string {
	t.Helper()
	return "oci:" + peer.Base(t, name)
}

// tool runs another program to its end and returns what it writes; it must succeed.
func tool(t testing.TB, env []string, path string, args ...string) string {
	t.Helper()
	out, err := try(t, env, path, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is tool for a program that may fail.
func try(t testing.TB, env []string, path string, args ...string) (string, error) {
	t.Helper()
	// Not the test's own context, which has ended when its cleanups run.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %q: %w\n%s%s", path, args, err, &stdout, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// scratch is a new directory that other users can enter.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(run.dir, "test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// waitFor asks again and again until the answer is nil, and gives up with the last one.
func waitFor(limit time.Duration, ask func() error) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := ask()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// lockedBuffer may be written while it is read.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
