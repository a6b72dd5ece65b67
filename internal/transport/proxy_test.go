package transport

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vpk/internal/fault"
)

// connectProxy is a proxy that leads every CONNECT to one server, and answers other requests itself.
type connectProxy struct {
	*httptest.Server
	target string

	mu   sync.Mutex
	seen []string // what was asked, with user and password
}

func newConnectProxy(t *testing.T, target string) *connectProxy {
	p := &connectProxy{target: target}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	return p
}

func (p *connectProxy) serve(w http.ResponseWriter, r *http.Request) {
	user, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic "))
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.RequestURI+" "+string(user))
	p.mu.Unlock()
	if err != nil || string(user) == "wrong:pass" {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(w, "plain")
		return
	}
	upstream, err := net.Dial("tcp", p.target)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		_ = upstream.Close()
		return
	}
	go func() { _, _ = io.Copy(upstream, bufio.NewReader(buffered)); _ = upstream.Close() }()
	_, _ = io.Copy(conn, upstream)
	_ = conn.Close()
}

func (p *connectProxy) asked() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := strings.Join(p.seen, "\n")
	p.seen = nil
	return s
}

func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	server := ca.serve(t, nil, "files.example")
	proxy := newConnectProxy(t, server.Listener.Addr().String())
	with := func(user string) string { return strings.Replace(proxy.URL, "http://", "http://"+user, 1) }
	for _, tt := range []struct {
		name    string
		proxies Proxies
		url     string
		got     string // "" for an error
		asked   string
	}{
		{"https", Proxies{HTTPS: with("")}, "https://files.example/x", "hello", "CONNECT files.example:443 "},
		{"https with a user", Proxies{HTTPS: with("u:p%40ss@"), HTTP: "http://nobody.invalid"}, "https://files.example/x", "hello", "CONNECT files.example:443 u:p@ss"},
		{"http with a user", Proxies{HTTP: with("u:p@")}, "http://files.example/x", "plain", "GET http://files.example/x u:p"},
		{"all", Proxies{All: with("")}, "http://files.example/x", "plain", "GET http://files.example/x "},
		{"a host and port", Proxies{All: strings.TrimPrefix(proxy.URL, "http://")}, "http://files.example/x", "plain", "GET http://files.example/x "},
		{"one of its own before all", Proxies{All: "http://nobody.invalid", HTTPS: with("")}, "https://files.example/x", "hello", "CONNECT files.example:443 "},
		{"no proxy for a domain", Proxies{All: with(""), No: "other.example,.invalid"}, "http://files.invalid/x", "", ""},
		{"a password that is wrong", Proxies{All: with("wrong:pass@")}, "https://files.example/x", "", "CONNECT files.example:443 wrong:pass"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := quick
			opts.Proxies, opts.CertFiles, opts.Retries = tt.proxies, []string{ca.file}, -1
			got, _, err := read(t, newClient(t, opts), tt.url)
			if string(got) != tt.got || (err == nil) != (tt.got != "") {
				t.Errorf("%q, %v", got, err)
			}
			if err != nil && (strings.Contains(err.Error(), "pass") || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the password is in %v", err)
			}
			if asked := proxy.asked(); asked != tt.asked {
				t.Errorf("the proxy was asked %q, want %q", asked, tt.asked)
			}
		})
	}
	_, err := New(Options{Proxies: Proxies{HTTPS: "ftp://u:sEcReT@x"}})
	if fault.KindOf(err) != fault.Usage || strings.Contains(err.Error(), "sEcReT") {
		t.Errorf("a proxy that is none: %v", err)
	}
}
