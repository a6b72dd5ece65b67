package transport

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"vpk/internal/fault"
)

// Proxies are URLs of proxies, or HOST:PORT for an HTTP proxy, with a user and password or not: HTTP for http URLs, HTTPS for
// https ones, All for both where the other is empty. No lists hosts, domains and networks that are reached without, in the form of NO_PROXY
// (golang.org/x/net/http/httpproxy). Loopback addresses are always reached without.
type Proxies struct{ HTTP, HTTPS, All, No string }

// choose makes what http.Transport wants.
func (p Proxies) choose() (func(*http.Request) (*url.URL, error), error) {
	config := httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: p.No}
	if config.HTTPProxy == "" {
		config.HTTPProxy = p.All
	}
	if config.HTTPSProxy == "" {
		config.HTTPSProxy = p.All
	}
	for _, text := range []string{config.HTTPProxy, config.HTTPSProxy} {
		if text != "" && !isProxy(text) {
			// It may hold a password, and is not shown.
			return nil, fault.New(fault.Usage, "try HTTPS_PROXY=http://proxy.example:3128", "read proxy settings: a proxy is neither a URL (http, https, socks5, socks5h) nor HOST:PORT")
		}
	}
	choose := config.ProxyFunc()
	return func(req *http.Request) (*url.URL, error) { return choose(req.URL) }, nil
}

func isProxy(text string) bool {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}
