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
// failure; there is no limit on the whole. So many bodies are under way at once, to all hosts and to each; others wait.
// Errors never show a URL's user, password, query or fragment (Redact).
//
// Certificates. CertFiles and CertDirs are trusted beside the system's authorities (uv: in their place, and by default it
// trusts a list of its own); they are parsed when something is first asked over TLS. A client certificate and InsecureHosts are for bodies only: registries have neither.
//
// Redirects. Credentials of a URL go along to the same scheme, host and port and nowhere else; those that a Redirect names
// itself are used there. A Referer is never sent: it would tell the query of one host to another.
//
// The package reads no environment itself; the standard library does where it looks for the system's certificates.
//
// Not done: credentials other than those of the URL (Options.Around is for them), caching.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/sync/semaphore"
)

// Options of a Client. The zero value of each field is its default.
type Options struct {
	// CertFiles are PEM bundles of certificate authorities to trust, CertDirs directories of such files. Files that
	// cannot be used are errors, directories are taken as they are.
	CertFiles, CertDirs []string
	// ClientCert is a PEM file with the certificate and the key to show to servers that ask for one; "" means none.
	ClientCert string
	// InsecureHosts are hosts whose certificates are not looked at: HOST, HOST:PORT, https://HOST[:PORT], or "*" for all.
	InsecureHosts []string
	// Proxies are the proxies to use; the zero value means none.
	Proxies Proxies
	// Retries is how often a request is tried again: 0 means 3, negative means never.
	Retries int
	// RetryWait is the wait before the second try, doubled before each further one up to 20 times it; 0 means 500 ms.
	RetryWait time.Duration
	// ConnectTimeout limits the TCP connection and the TLS handshake, each; 0 means 10 s.
	ConnectTimeout time.Duration
	// ReadTimeout limits how long nothing may arrive, both before the headers and within the body; 0 means 30 s.
	ReadTimeout time.Duration
	// MaxBodies is the number of bodies under way at once; 0 means 32. MaxPerHost is that to one host; 0 means 16.
	MaxBodies, MaxPerHost int
	// Around, if not nil, wraps what makes each request for a body, redirects included: for credentials.
	Around func(http.RoundTripper) http.RoundTripper
	// Offline refuses every request.
	Offline bool
	// UserAgent is sent where a request has none; empty means "vpk".
	UserAgent string
}

// Client is safe for concurrent use. Close it when done.
type Client struct {
	opts   Options
	single http.RoundTripper
	files  *http.Client
	slots  *semaphore.Weighted
	made   transports
}

// transports are those of a client that hold connections. They are made as they are needed.
type transports struct {
	mu   sync.Mutex
	list []*http.Transport
}

func (t *transports) add(made *http.Transport) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, made)
	return made
}

func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, made := range t.list {
		made.CloseIdleConnections()
	}
}

// New makes a client. It fails, with the kind fault.Usage, when a certificate cannot be used or a proxy is no URL.
func New(opts Options) (*Client, error) {
	opts = withDefaults(opts)
	trusted, trustedErr := readAuthorities(opts.CertFiles, opts.CertDirs)
	own, ownErr := readClientCert(opts.ClientCert)
	proxy, proxyErr := opts.Proxies.choose()
	if err := errors.Join(trustedErr, ownErr, proxyErr); err != nil {
		return nil, err
	}
	c := &Client{opts: opts, slots: semaphore.NewWeighted(int64(opts.MaxBodies))}
	roots := sync.OnceValue(trusted.pool)

	c.single = &guard{base: c.byTLS(proxy, c.metadata, func() *tls.Config {
		return &tls.Config{RootCAs: roots(), MinVersion: tls.VersionTLS12}
	}), opts: opts, headerTimeout: opts.ReadTimeout}
	secure := c.byTLS(proxy, c.bodies, func() *tls.Config {
		return &tls.Config{RootCAs: roots(), Certificates: own, MinVersion: tls.VersionTLS12}
	})
	insecure := c.byTLS(proxy, c.bodies, func() *tls.Config { // for hosts whose certificates are not looked at
		return &tls.Config{InsecureSkipVerify: true, Certificates: own, MinVersion: tls.VersionTLS12}
	})
	var tripper http.RoundTripper = &guard{base: byHost{secure, insecure, opts.InsecureHosts}, opts: opts}
	if opts.Around != nil {
		tripper = opts.Around(tripper)
	}
	c.files = &http.Client{Transport: tripper, CheckRedirect: redirect}
	return c, nil
}

// byTLS makes transports of one sort.
func (c *Client) byTLS(proxy func(*http.Request) (*url.URL, error), sort func(*http.Transport), config func() *tls.Config) byTLS {
	build := func(config *tls.Config) *http.Transport {
		t := newTransport(c.opts, proxy, config)
		sort(t)
		return c.made.add(t)
	}
	return byTLS{proxy: proxy, plain: build(nil), made: new(atomic.Bool), secure: sync.OnceValue(func() *http.Transport { return build(config()) })}
}

// metadata makes a transport one for many small answers.
func (c *Client) metadata(t *http.Transport) {
	t.Protocols = protocols(true)
	t.MaxIdleConnsPerHost = c.opts.MaxPerHost
}

// bodies makes a transport one for files.
func (c *Client) bodies(t *http.Transport) {
	t.Protocols = protocols(false)
	t.DisableCompression = true
	t.MaxConnsPerHost = c.opts.MaxPerHost
	t.MaxIdleConnsPerHost = c.opts.MaxPerHost
	// The transport's own limit does not count the wait for one of the connections; the guard's would.
	t.ResponseHeaderTimeout = c.opts.ReadTimeout
}

// RoundTripper makes one try of a request over HTTP/2 or 1.1. The read timeout holds for bodies, and for the headers of
// GET and HEAD; a registry may take longer to answer an upload.
func (c *Client) RoundTripper() http.RoundTripper { return c.single }

// Offline tells whether every request is refused.
func (c *Client) Offline() bool { return c.opts.Offline }

// Close closes idle connections.
func (c *Client) Close() { c.made.close() }

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
	if o.MaxBodies <= 0 {
		o.MaxBodies = 32
	}
	if o.MaxPerHost <= 0 {
		o.MaxPerHost = 16
	}
	if o.UserAgent == "" {
		o.UserAgent = "vpk"
	}
	return o
}

func newTransport(opts Options, proxy func(*http.Request) (*url.URL, error), config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: opts.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
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
