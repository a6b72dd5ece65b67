package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"vpk/internal/fault"
)

// StatusError is an answer that was not the file.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	if text := http.StatusText(e.Code); text != "" {
		return fmt.Sprintf("the server answered %d %s", e.Code, text)
	}
	return fmt.Sprintf("the server answered %d", e.Code)
}

// Redact is a URL as errors and reports may show it: without user, password, query and fragment. What is no URL is not
// shown at all.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "(malformed URL)"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// Permanent is an error for a RoundTripper that Options.Around makes: the request is not tried again.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }

// Unwrap implements errors.Unwrap.
func (e *Permanent) Unwrap() error { return e.Err }

// failure is the final error of a download: what net/http says without the URL that it says, with kind and hint.
func failure(rawURL string, tries int, err error) error {
	var ue *url.Error
	for errors.As(err, &ue) {
		err = ue.Err
	}
	times := ""
	if tries > 1 {
		times = fmt.Sprintf(" (tried %d times)", tries)
	}
	return fault.New(fault.Network, hint(err), "download %q%s: %w", Redact(rawURL), times, err)
}

// hint says what to do about the errors that have a usual cause.
func hint(err error) string {
	var (
		status  *StatusError
		unknown x509.UnknownAuthorityError
		verify  *tls.CertificateVerificationError
		dns     *net.DNSError
	)
	switch {
	case len(fault.Hints(err)) > 0:
		return "" // it has its own
	case errors.Is(err, ErrOffline):
		return "run once without --offline"
	case errors.As(err, &unknown), errors.As(err, &verify):
		return "name the certificate authority of the server or of the proxy, e.g. with SSL_CERT_FILE"
	case errors.As(err, &status):
		switch status.Code {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			return "check that the file is still there and whether the index wants credentials"
		case http.StatusProxyAuthRequired:
			return "give the proxy's user and password in HTTPS_PROXY"
		}
	case errors.As(err, &dns):
		return "check the name of the host and the proxy settings (HTTPS_PROXY, NO_PROXY)"
	case errors.Is(err, ErrStalled):
		return "try again, or allow more time"
	}
	return "check the network and the proxy settings (HTTPS_PROXY, NO_PROXY)"
}
