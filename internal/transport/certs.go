package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"vpk/internal/fault"
)

// readRoots is nil, the system's roots, where there is nothing to add to them. All bad files are reported at once.
func readRoots(files, dirs []string) (*x509.CertPool, error) {
	if len(files) == 0 && len(dirs) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a machine without any
		pool = x509.NewCertPool()
	}
	var errs []error
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read certificate authorities: %w", err))
			continue
		}
		if !pool.AppendCertsFromPEM(pem) {
			errs = append(errs, fmt.Errorf("read certificate authorities: %q holds no PEM certificate", name))
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // as with OpenSSL, a place for certificates, whether there are some or not
		}
		for _, entry := range entries {
			if pem, err := os.ReadFile(filepath.Join(dir, entry.Name())); err == nil {
				pool.AppendCertsFromPEM(pem)
			}
		}
	}
	return pool, fault.Wrap(fault.Usage, "name PEM files with one or more certificates (SSL_CERT_FILE)", errors.Join(errs...))
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
