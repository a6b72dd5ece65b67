package transport

import (
	"errors"
	"net/http"
)

// maxRedirects is uv's (crates/uv-client/src/base_client.rs, DEFAULT_MAX_REDIRECTS).
const maxRedirects = 10

// redirect decides what goes along to where a server leads (http.Client.CheckRedirect).
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &Permanent{errors.New("the server led from address to address more than 10 times")}
	}
	last := via[len(via)-1]
	req.Header.Del("Referer")
	// net/http would keep it for subdomains and other ports.
	req.Header.Del("Authorization")
	if req.URL.User == nil && sameOrigin(req, last) {
		req.URL.User = last.URL.User
	}
	return nil
}

func sameOrigin(a, b *http.Request) bool {
	return a.URL.Scheme == b.URL.Scheme && a.URL.Hostname() == b.URL.Hostname() && portOf(a.URL) == portOf(b.URL)
}
