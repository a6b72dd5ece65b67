package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vpk/internal/fault"
	"vpk/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is a RoundTripper without a network.
type answers func(*http.Request) int

func (f answers) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f(req), Body: io.NopCloser(strings.NewReader(""))}, nil
}

func noFiles(name string) ([]byte, error) { return nil, fs.ErrNotExist }

func get(t *testing.T, rt http.RoundTripper, url string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// wants is a server of one user.
func wants(header string, asked *atomic.Int32) answers {
	return func(req *http.Request) int {
		asked.Add(1)
		if req.URL.User != nil {
			return 400
		}
		if req.Header.Get("Authorization") != header {
			return 401
		}
		return 200
	}
}

const userSecret = "Basic dXNlcjpzZWNyZXQ="

// TestSearchOnce: requests side by side search once, and the URL where the result was accepted gets it at once.
func TestSearchOnce(t *testing.T) {
	var reads, asked atomic.Int32
	a := NewAuth(AuthOptions{Netrc: []string{"missing", "netrc"}, ReadFile: func(name string) ([]byte, error) {
		if name != "netrc" {
			return nil, fs.ErrNotExist
		}
		reads.Add(1)
		return []byte("default login user password secret"), nil
	}})
	rt := a.Around(wants(userSecret, &asked))
	for want := range 2 {
		asked.Store(0)
		if _, err := get(t, rt, "https://files.example/first"); err != nil || asked.Load() != int32(2-want) {
			t.Errorf("asked %d times, %v", asked.Load(), err)
		}
	}
	asked.Store(0)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if code, err := get(t, rt, fmt.Sprintf("https://side.example/%d", i)); code != 200 || err != nil {
				t.Errorf("%d, %v", code, err)
			}
		})
	}
	wg.Wait()
	if reads.Load() != 1 || asked.Load() > 40 {
		t.Errorf("the file was read %d times, the server asked %d times", reads.Load(), asked.Load())
	}
}

func TestRootEndsAtASegment(t *testing.T) {
	var asked atomic.Int32
	a := NewAuth(AuthOptions{Indexes: []Index{{URL: "https://user:secret@index.example/team/simple", Policy: Always}}, ReadFile: noFiles})
	rt := a.Around(answers(func(req *http.Request) int {
		asked.Add(1)
		if req.Header.Get("Authorization") != "" {
			t.Errorf("%s gets the password of another index", req.URL)
		}
		return 200
	}))
	if code, err := get(t, rt, "https://index.example/team-b/x"); code != 200 || err != nil || asked.Load() != 1 {
		t.Errorf("%d, %v", code, err)
	}
}

func TestAlwaysWithoutCredentials(t *testing.T) {
	for _, index := range []string{"https://index.example/simple", "https://user@index.example/simple"} {
		a := NewAuth(AuthOptions{Indexes: []Index{{URL: index, Policy: Always}}, ReadFile: noFiles})
		_, err := get(t, a.Around(answers(func(*http.Request) int { t.Error("it was asked"); return 200 })), strings.Replace(index, "simple", "x", 1))
		var permanent *transport.Permanent
		if !errors.As(err, &permanent) || fault.KindOf(err) != fault.Network || !strings.Contains(strings.Join(fault.Hints(err), ""), "UV_INDEX_") {
			t.Errorf("%s: %v", index, err)
		}
	}
}

// TestKeyringEnds: a keyring that does not answer ends with the request.
func TestKeyringEnds(t *testing.T) {
	program := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	a := NewAuth(AuthOptions{Keyring: program, ReadFile: noFiles})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://user@index.example/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	resp, err := a.Around(answers(func(*http.Request) int { return 401 })).RoundTrip(req)
	if resp != nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := Basic("user", "sEcReT")
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %v", c, c, []Credentials{c})} {
		if strings.Contains(text, "sEcReT") || strings.Contains(text, "user") {
			t.Error(text)
		}
	}
}
