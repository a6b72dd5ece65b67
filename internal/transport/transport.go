// Package transport is HTTP for vpk: certificates, proxies, timeouts, limits and retries in one place, for package
// indexes and container registries alike.
//
// There are two ways out. Body gets one file, whatever it takes: over HTTP/1.1, because Go opens a single HTTP/2
// connection per host and eight files over it are slower than over eight connections (spec libraries §14–15). It tries
// again what fails before the headers (hashicorp/go-retryablehttp) and, itself, what fails after them: a body that ends
// early, breaks or stalls goes on with Range from where it was. RoundTripper is one try over HTTP/2 or 1.1, for clients
// that retry by themselves, as go-containerregistry does.
//
// Rules. What is tried again is what uv tries again (crates/uv-client/src/retry.rs:141): any 5xx, 408, 429, and
// connections that fail or break; not certificates that are not trusted, nor hosts that do not exist. Waits double from
// RetryWait, with jitter; a Retry-After of the server replaces them, up to a minute. No byte for ReadTimeout is a
// failure; there is no limit on the whole. Errors never show a URL's user, password, query or fragment (Redact).
//
// The package reads no environment itself; http.ProxyFromEnvironment, its default for Proxy, does, and so does the
// standard library where it looks for the system's certificates.
//
// Not done: credentials other than those of the URL, caching, client certificates.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"vpk/internal/fault"
)

// Options of a Client. The zero value of each field is its default.
type Options struct {
	// CAFiles are PEM bundles with the only certificate authorities to trust; none means the system's.
	CAFiles []string
	// Proxy chooses the proxy of a request; nil means http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// Retries is how often a request is tried again: 0 means 3, negative means never.
	Retries int
	// RetryWait is the wait before the second try, doubled before each further one up to 20 times it; 0 means 500 ms.
	RetryWait time.Duration
	// ConnectTimeout limits the TCP connection and the TLS handshake, each; 0 means 10 s.
	ConnectTimeout time.Duration
	// ReadTimeout limits how long nothing may arrive, both before the headers and within the body; 0 means 30 s.
	ReadTimeout time.Duration
	// MaxPerHost is the number of connections for bodies to one host; 0 means 16.
	MaxPerHost int
	// Offline refuses every request.
	Offline bool
	// UserAgent is sent where a request has none; empty means "vpk".
	UserAgent string
}

// Client is safe for concurrent use. Close it when done.
type Client struct {
	opts     Options
	bodies   *http.Transport
	metadata *http.Transport
	single   http.RoundTripper
	files    *http.Client // over bodies
}

// New makes a client. It fails when a CA file cannot be read or holds no certificate.
func New(opts Options) (*Client, error) {
	opts = withDefaults(opts)
	roots, err := readRoots(opts.CAFiles)
	if err != nil {
		return nil, err
	}
	c := &Client{opts: opts}

	c.bodies = newTransport(opts, roots)
	c.bodies.Protocols = protocols(false)
	c.bodies.DisableCompression = true
	c.bodies.MaxConnsPerHost = opts.MaxPerHost
	c.bodies.MaxIdleConnsPerHost = opts.MaxPerHost
	// The transport's own limit does not count the wait for one of the connections; the guard's would.
	c.bodies.ResponseHeaderTimeout = opts.ReadTimeout

	c.metadata = newTransport(opts, roots)
	c.metadata.Protocols = protocols(true)
	c.metadata.MaxIdleConnsPerHost = opts.MaxPerHost
	c.single = &guard{base: c.metadata, opts: opts, headerTimeout: opts.ReadTimeout}

	c.files = &http.Client{Transport: &guard{base: c.bodies, opts: opts}}
	return c, nil
}

// RoundTripper makes one try of a request over HTTP/2 or 1.1. The read timeout holds for bodies, and for the headers of
// GET and HEAD; a registry may take longer to answer an upload.
func (c *Client) RoundTripper() http.RoundTripper { return c.single }

// Offline tells whether every request is refused.
func (c *Client) Offline() bool { return c.opts.Offline }

// Close closes idle connections.
func (c *Client) Close() {
	c.bodies.CloseIdleConnections()
	c.metadata.CloseIdleConnections()
}

// retrying is the client that tries until headers arrive, adding each try to tries.
func (c *Client) retrying(tries *int) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   c.files,
		RetryMax:     c.opts.Retries,
		RetryWaitMin: c.opts.RetryWait,
		RetryWaitMax: maxWaitFactor * c.opts.RetryWait,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			*tries++
			return checkRetry(ctx, resp, err)
		},
		Backoff:      backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

func withDefaults(o Options) Options {
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	switch {
	case o.Retries == 0:
		o.Retries = 3
	case o.Retries < 0:
		o.Retries = 0
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&o.RetryWait, 500 * time.Millisecond}, {&o.ConnectTimeout, 10 * time.Second}, {&o.ReadTimeout, 30 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.standard
		}
	}
	if o.MaxPerHost <= 0 {
		o.MaxPerHost = 16
	}
	if o.UserAgent == "" {
		o.UserAgent = "vpk"
	}
	return o
}

func newTransport(opts Options, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: opts.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 opts.Proxy,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   opts.ConnectTimeout,
		MaxIdleConns:          128,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

func protocols(http2 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(http2)
	return &p
}

// readRoots is nil, the system's roots, where there are no files. All bad files are reported at once.
func readRoots(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
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
	return pool, fault.Wrap(fault.Usage, "name PEM files with one or more certificates", errors.Join(errs...))
}
