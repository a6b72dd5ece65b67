package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"vpk/internal/fault"
)

// authorities are the PEM files and directories of Options. To parse a machine's certificates takes longer than all else that vpk does when
// nothing changed, so that is not done before something is asked over TLS.
type authorities struct {
	files [][]byte // PEM
	dirs  []string
}

// readAuthorities reads files, of which each must hold a certificate. All bad files are reported at once.
func readAuthorities(files, dirs []string) (authorities, error) {
	a := authorities{dirs: dirs}
	var errs []error
	for _, name := range files {
		text, err := os.ReadFile(name)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("read certificate authorities: %w", err))
		case !hasCertificate(text):
			errs = append(errs, fmt.Errorf("read certificate authorities: %q holds no PEM certificate", name))
		default:
			a.files = append(a.files, text)
		}
	}
	return a, fault.Wrap(fault.Usage, "name PEM files with one or more certificates (SSL_CERT_FILE)", errors.Join(errs...))
}

// hasCertificate reports whether x509.CertPool.AppendCertsFromPEM would find something.
func hasCertificate(text []byte) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
}

// pool is nil, the system's roots, where there is nothing to add to them.
func (a authorities) pool() *x509.CertPool {
	if len(a.files) == 0 && len(a.dirs) == 0 {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a machine without any
		pool = x509.NewCertPool()
	}
	for _, text := range a.files {
		pool.AppendCertsFromPEM(text)
	}
	for _, dir := range a.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // as with OpenSSL, a place for certificates, whether there are some or not
		}
		for _, entry := range entries {
			if text, err := os.ReadFile(filepath.Join(dir, entry.Name())); err == nil {
				pool.AppendCertsFromPEM(text)
			}
		}
	}
	return pool
}

// byTLS asks plain for what needs no certificates, and secure, which is made when it is first needed, for all else: https, and what
// goes to a proxy over TLS.
type byTLS struct {
	proxy  func(*http.Request) (*url.URL, error)
	plain  *http.Transport
	secure func() *http.Transport
	made   *atomic.Bool // secure was needed before
}

// RoundTrip implements http.RoundTripper.
func (t byTLS) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(req)
	direct := err == nil && proxy == nil
	if req.URL.Scheme == "http" && (direct || err == nil && proxy.Scheme != "https") {
		return t.plain.RoundTrip(req)
	}
	// Registries near by are asked over https first, and most have none.
	if direct && isNear(req.URL.Hostname()) && !t.made.Load() {
		if err := t.greet(req); err != nil {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, err
		}
	}
	t.made.Store(true)
	return t.secure().RoundTrip(req)
}

// greet finds out whether a server speaks TLS. It says nothing to it, and looks at no certificate.
func (t byTLS) greet(req *http.Request) error {
	conn, err := t.plain.DialContext(req.Context(), "tcp", net.JoinHostPort(req.URL.Hostname(), portOf(req.URL)))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(req.Context(), t.plain.TLSHandshakeTimeout)
	defer cancel()
	var other tls.RecordHeaderError
	if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx); errors.As(err, &other) {
		return err
	}
	return nil // what else may be wrong, the request itself will tell
}

// isNear reports whether a host is one for which go-containerregistry tries http too: this machine, or one of a private network.
func isNear(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsPrivate())
}

// readClientCert reads a certificate and its key, both in one PEM file.
func readClientCert(name string) ([]tls.Certificate, error) {
	if name == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(name, name)
	if err != nil {
		return nil, fault.New(fault.Usage, "name a PEM file with a certificate and its key (SSL_CLIENT_CERT)", "read client certificate %q: %w", name, err)
	}
	return []tls.Certificate{cert}, nil
}

// byHost asks insecure where the host's certificate is not to be looked at.
type byHost struct {
	secure, insecure http.RoundTripper
	hosts            []string
}

// RoundTrip implements http.RoundTripper.
func (t byHost) RoundTrip(req *http.Request) (*http.Response, error) {
	for _, host := range t.hosts {
		if isHost(host, req.URL) {
			return t.insecure.RoundTrip(req)
		}
	}
	return t.secure.RoundTrip(req)
}

// isHost tells whether a URL is of a host as Options.InsecureHosts writes it (crates/uv-configuration/src/trusted_host.rs). A
// port that is the scheme's own may be there or not on both sides.
func isHost(pattern string, u *url.URL) bool {
	if pattern == "*" {
		return true
	}
	scheme, host, ok := strings.Cut(pattern, "://")
	if !ok {
		scheme, host = u.Scheme, pattern
	}
	host, _, _ = strings.Cut(host, "/")
	p, err := url.Parse("//" + host)
	if err != nil || !strings.EqualFold(scheme, u.Scheme) || !strings.EqualFold(p.Hostname(), u.Hostname()) {
		return false
	}
	return p.Port() == "" || p.Port() == portOf(u)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
