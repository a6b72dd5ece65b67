package e2e

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"vpk/internal/peer"
)

// The example projects of testdata.
const (
	fastapiDemo   = "fastapi-demo"
	hypercornDemo = "hypercorn-demo"
	scienceDemo   = "science-demo"
)

// The example's answers.
var answers = map[string]string{
	"/":        `{"message":"Hello from a distroless Python container."}`,
	"/healthz": `{"status":"ok"}`,
}

// example is a new copy of an example, locked.
func (u *user) example(name string) string {
	u.t.Helper()
	dir := filepath.Join(u.dir, "project")
	for n := 2; exists(dir); n++ {
		dir = filepath.Join(u.dir, fmt.Sprintf("project%d", n))
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../testdata", name))); err != nil {
		u.t.Fatal(err)
	}
	lock(u.t, dir, fast)
	return dir
}

// exists says whether there is something at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

var locking sync.Mutex // uv once for each lock

// lock writes dir/uv.lock as uv makes it, with the wheels at the wheelhouse, served as told.
func lock(t testing.TB, dir, how string) {
	t.Helper()
	manifest, _, _ := strings.Cut(readFile(t, filepath.Join(dir, "pyproject.toml")), "[tool.vpk]") // not for uv
	uv := peer.UV(t)
	version := tool(t, nil, uv, "--version")
	kept := keep(filepath.Join("locks", fmt.Sprintf("%x", sha256.Sum256([]byte(version+"\n"+manifest)))))
	locking.Lock()
	defer locking.Unlock()
	if !exists(filepath.Join(kept, "uv.lock")) {
		work := scratch(t)
		writeFile(t, filepath.Join(work, "pyproject.toml"), manifest)
		env := []string{"UV_CACHE_DIR=" + filepath.Join(work, "cache"), "UV_PYTHON_DOWNLOADS=never"}
		if _, err := try(t, env, uv, "lock", "--quiet", "--python", peer.Python(t), "--project", work); err != nil {
			peer.Missing(t, "uv cannot lock: %v", err)
		}
		if err := os.MkdirAll(kept, 0o755); err != nil {
			t.Fatal(err)
		}
		made := filepath.Join(kept, strconv.Itoa(os.Getpid()))
		writeFile(t, made, readFile(t, filepath.Join(work, "uv.lock")))
		if err := os.Rename(made, filepath.Join(kept, "uv.lock")); err != nil {
			t.Fatal(err)
		}
	}
	text := readFile(t, filepath.Join(kept, "uv.lock"))
	if how != "" {
		text = string(run.wheels.redirect([]byte(text), how))
	}
	writeFile(t, filepath.Join(dir, "uv.lock"), text)
}

// edit replaces the one place of a text in a file.
func edit(t testing.TB, file, before, after string) {
	t.Helper()
	text := readFile(t, file)
	if strings.Count(text, before) != 1 {
		t.Fatalf("%s does not have %q once:\n%s", file, before, text)
	}
	writeFile(t, file, strings.Replace(text, before, after, 1))
}

// freePort is a port of loopback that nobody listens on, below those that the kernel gives to others.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}
