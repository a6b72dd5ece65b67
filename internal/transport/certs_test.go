package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vpk/internal/fault"
)

// authority is a private certificate authority; file is its certificate.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	der, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(time.Hour),
	})
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.key = key
	writePEM(t, a.file, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// sign makes a certificate with a key of its own, signed by the authority or, before it is one, by itself.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
		t.Fatal(err)
	}
	return der, key
}

// serve starts a server for names and 127.0.0.1 that says hello, configured by configure.
func (a *authority) serve(t *testing.T, configure func(*tls.Config), names ...string) *httptest.Server {
	t.Helper()
	der, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := "hello"
		if len(r.TLS.PeerCertificates) > 0 {
			text += " " + r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = io.WriteString(w, text)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if configure != nil {
		configure(s.TLS)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func writePEM(t *testing.T, name string, blocks ...*pem.Block) {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTrust(t *testing.T) {
	ca := newAuthority(t)
	s := ca.serve(t, nil, "files.example")
	host := strings.TrimPrefix(s.URL, "https://")
	for _, tt := range []struct {
		name string
		opts Options
		ok   bool
	}{
		{"the system alone", Options{}, false},
		{"a file", Options{CertFiles: []string{ca.file}}, true},
		{"a directory, of two, one of which is not there", Options{CertDirs: []string{"/nonexistent", filepath.Dir(ca.file)}}, true},
		{"an insecure host", Options{InsecureHosts: []string{"other.example", "127.0.0.1"}}, true},
		{"an insecure host with its port", Options{InsecureHosts: []string{host}}, true},
		{"an insecure host with its scheme", Options{InsecureHosts: []string{"https://" + host}}, true},
		{"another scheme", Options{InsecureHosts: []string{"http://" + host}}, false},
		{"another port", Options{InsecureHosts: []string{"127.0.0.1:1"}}, false},
		{"all hosts", Options{InsecureHosts: []string{"*"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := tt.opts
			opts.Retries, opts.ReadTimeout = -1, time.Second
			c := newClient(t, opts)
			if got, _, err := read(t, c, s.URL); (err == nil) != tt.ok || tt.ok && string(got) != "hello" {
				t.Errorf("%q, %v", got, err)
			}
			if len(tt.opts.InsecureHosts) > 0 {
				if resp, err := (&http.Client{Transport: c.RoundTripper()}).Get(s.URL); err == nil {
					_ = resp.Body.Close()
					t.Error("a registry is trusted without a certificate")
				}
			}
		})
	}
}

func TestIsHost(t *testing.T) {
	for _, tt := range []struct {
		pattern, url string
		want         bool
	}{
		{"a.example", "https://A.example/x", true}, {"a.example:443", "https://a.example/", true}, {"https://a.example", "https://a.example:443/", true},
		{"a.example", "https://b.a.example/", false}, {"a.example:444", "https://a.example/", false}, {"http://a.example", "https://a.example/", false},
		{"[::1]", "https://[::1]:8443/", true}, {"[::1]:8443", "https://[::1]:8443/", true}, {"", "https://a.example/", false}, {"a b", "https://a.example", false},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := isHost(tt.pattern, u); got != tt.want {
			t.Errorf("%q of %s: %t", tt.pattern, tt.url, got)
		}
	}
}

func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s := ca.serve(t, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool })
	der, key := ca.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "builder"}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own.pem")
	writePEM(t, own, &pem.Block{Type: "PRIVATE KEY", Bytes: private}, &pem.Block{Type: "CERTIFICATE", Bytes: der})

	opts := quick
	opts.CertFiles, opts.Retries = []string{ca.file}, -1
	if got, _, err := read(t, newClient(t, opts), s.URL); err == nil {
		t.Errorf("without a certificate: %q", got)
	}
	opts.ClientCert = own
	if got, _, err := read(t, newClient(t, opts), s.URL); err != nil || string(got) != "hello builder" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = New(Options{ClientCert: ca.file})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(strings.Join(fault.Hints(err), ""), "SSL_CLIENT_CERT") {
		t.Errorf("a file without a key: %v", err)
	}
}

func TestCertificatesWaitForTLS(t *testing.T) {
	ca := newAuthority(t)
	proxied, err := Proxies{HTTP: "https://proxy.example"}.choose()
	if err != nil {
		t.Fatal(err)
	}
	direct, err := Proxies{}.choose()
	if err != nil {
		t.Fatal(err)
	}
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer open.Close()
	for _, tt := range []struct {
		name, url string
		proxy     func(*http.Request) (*url.URL, error)
		want      bool // certificates are needed
	}{
		{"http", open.URL, direct, false},
		{"http, but not to a loopback address through a proxy", open.URL, proxied, false},
		{"https", ca.serve(t, nil).URL, direct, true},
		{"https, of a server near by that has none", strings.Replace(open.URL, "http:", "https:", 1), direct, false},
		{"http, through a proxy over TLS", "http://files.example", proxied, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := false
			tripper := byTLS{proxy: tt.proxy, plain: newTransport(withDefaults(quick), tt.proxy, nil), made: new(atomic.Bool), secure: func() *http.Transport {
				asked = true
				return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}
			}}
			resp, err := (&http.Client{Transport: tripper}).Get(tt.url)
			if err == nil {
				_ = resp.Body.Close()
			}
			if asked != tt.want || err == nil && tt.want {
				t.Errorf("certificates asked for: %t, %v", asked, err)
			}
		})
	}
}
