package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// wheelhouse serves the wheels of locks on loopback. It gets each once from where its lock says and keeps it.
type wheelhouse struct {
	*httptest.Server
	dir string

	mu    sync.Mutex
	files map[string]func() (string, error) // by SHA-256: the file, got when it is first asked for
}

func newWheelhouse(dir string) (*wheelhouse, error) {
	w := &wheelhouse{dir: dir, files: map[string]func() (string, error){}}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	return w, os.MkdirAll(dir, 0o755)
}

// The ways in which wheels are served: the first element of the URL's path.
const (
	fast = "fast"
	slow = "slow" // so much in so long, for each wheel
)

const (
	slowChunk = 32 << 10
	slowPause = 8 * time.Millisecond
)

var archivePattern = regexp.MustCompile(`url = "([^"]+)", hash = "sha256:([0-9a-f]{64})"`)

// redirect makes a lock point here.
func (w *wheelhouse) redirect(lock []byte, how string) []byte {
	return archivePattern.ReplaceAllFunc(lock, func(match []byte) []byte {
		parts := archivePattern.FindSubmatch(match)
		url, sum := string(parts[1]), string(parts[2])
		name := path.Base(url)
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, ok := w.files[sum]; !ok {
			w.files[sum] = sync.OnceValues(func() (string, error) { return w.get(url, sum) })
		}
		return fmt.Appendf(nil, `url = "%s/%s/%s/%s", hash = "sha256:%s"`, w.URL, how, sum, name, sum)
	})
}

// get gets a file from the index, unless it is there from another time.
func (w *wheelhouse) get(url, sum string) (file string, err error) {
	file = filepath.Join(w.dir, sum)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	answer, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("get %s: %s", url, answer.Status)
	}
	part, err := os.CreateTemp(w.dir, "part-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(part, hash), answer.Body)
	if err := errors.Join(err, part.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return "", fmt.Errorf("get %s: SHA-256 is %s, want %s", url, got, sum)
	}
	return file, os.Rename(part.Name(), file)
}

func (w *wheelhouse) serve(rw http.ResponseWriter, r *http.Request) {
	how, sum := path.Base(path.Dir(path.Dir(r.URL.Path))), path.Base(path.Dir(r.URL.Path))
	w.mu.Lock()
	get, ok := w.files[sum]
	w.mu.Unlock()
	if !ok {
		http.NotFound(rw, r)
		return
	}
	file, err := get()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	if how == slow {
		rw = slowWriter{rw}
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(rw, r, file)
}

// slowWriter pauses before each chunk.
type slowWriter struct{ http.ResponseWriter }

func (w slowWriter) Write(p []byte) (total int, err error) {
	for err == nil && len(p) > 0 {
		time.Sleep(slowPause)
		var n int
		n, err = w.ResponseWriter.Write(p[:min(len(p), slowChunk)])
		total += n
		p = p[n:]
	}
	return total, err
}
