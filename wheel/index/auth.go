package index

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/transport"
)

// Policy is an index's key authenticate.
type Policy string

// The policies; empty is Auto.
const (
	Auto   Policy = "auto"
	Always Policy = "always"
	Never  Policy = "never"
)

// Index is what authentication wants to know of an index.
type Index struct {
	URL    string // http or https; others are left out
	Policy Policy
	// Credentials of the environment; without, those in URL count.
	Credentials Credentials
}

// AuthOptions say where credentials are.
type AuthOptions struct {
	// Indexes in order of preference: where two have one URL, the first counts.
	Indexes []Index
	// URLs are other URLs with credentials in them, of a project's own direct dependencies.
	URLs []string
	// Netrc are files, of which the first that can be read counts; Store is uv's credentials.toml, or "".
	Netrc []string
	Store string
	// Keyring is the program keyring, or "" for none.
	Keyring string
	// ReadFile reads Netrc and Store.
	ReadFile func(name string) ([]byte, error)
	// Progress hears which place had credentials, and of files that cannot be read; nil means nobody.
	Progress progress.Reporter
}

// Auth finds credentials for requests. It is safe for concurrent use.
type Auth struct {
	indexes []root
	memory  *memory
	sources *sources
}

// root is an index with the URL that it is the beginning of.
type root struct {
	index, root *url.URL
	policy      Policy
}

// NewAuth makes an Auth. Files are read when they are needed.
func NewAuth(o AuthOptions) *Auth {
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	a := &Auth{memory: newMemory(), sources: newSources(o)}
	for _, text := range o.URLs {
		if u, ok := parse(text); ok {
			a.memory.put(u, ofUser(u.User))
		}
	}
	// The first of two is put last, and stays.
	for n := len(o.Indexes) - 1; n >= 0; n-- {
		i := o.Indexes[n]
		u, ok := parse(i.URL)
		if !ok {
			continue
		}
		c := i.Credentials
		if c.IsZero() {
			c = ofUser(u.User)
		}
		at := root{index: bare(u), root: rootOf(bare(u)), policy: i.Policy}
		a.memory.put(at.root, c)
		a.memory.put(at.index, c)
		a.indexes = append(a.indexes, at)
	}
	return a
}

func parse(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// rootOf is the URL of an index without the last segment that simple indexes have (crates/uv-distribution-types/src/index_url.rs).
func rootOf(index *url.URL) *url.URL {
	path := strings.TrimSuffix(index.EscapedPath(), "/")
	at := strings.LastIndexByte(path, '/')
	if last := path[at+1:]; at < 0 || !strings.EqualFold(last, "simple") && !strings.EqualFold(last, "+simple") {
		return index
	}
	r := *index
	r.RawPath = path[:at]
	r.Path, _ = url.PathUnescape(r.RawPath) // it was one before
	return &r
}

// indexOf is the index that a URL belongs to, nil for none.
func (a *Auth) indexOf(u *url.URL) *root {
	var best *root
	for i := range a.indexes {
		r := &a.indexes[i]
		// Of equal ones the last: they are in reverse order of preference.
		if realm(r.root) == realm(u) && isPrefix(segments(r.root), segments(u)) && (best == nil || len(segments(r.root)) >= len(segments(best.root))) {
			best = r
		}
	}
	return best
}

// Around makes requests through base, with credentials where they are wanted (transport.Options.Around). It is for requests
// without a body.
func (a *Auth) Around(base http.RoundTripper) http.RoundTripper { return &authenticated{a, base} }

type authenticated struct {
	*Auth
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a *authenticated) RoundTrip(original *http.Request) (*http.Response, error) {
	req := original.Clone(original.Context())
	given := ofUser(req.URL.User)
	req.URL.User = nil
	req.Header.Del("Authorization") // net/http makes it of the user
	index := a.indexOf(req.URL)
	policy := Auto
	if index != nil && index.policy != "" {
		policy = index.policy
	}
	switch {
	case policy == Never:
		return a.base.RoundTrip(req)
	case !given.IsZero():
		return a.withGiven(req, given, index, policy)
	}
	known, ok := a.memory.below(req.URL, "")
	if ok && known.complete() {
		known.set(req)
		return a.base.RoundTrip(req)
	}
	return a.withKnown(req, known, index, policy)
}

// withGiven sends credentials of the URL, completed if they are a user name alone.
func (a *authenticated) withGiven(req *http.Request, given Credentials, index *root, policy Policy) (*http.Response, error) {
	if given.complete() {
		return a.send(req, given, policy)
	}
	known, ok := Credentials{}, false
	if index != nil {
		if known, ok = a.memory.below(index.index, given.Username); !ok {
			known, ok = a.memory.below(index.root, given.Username)
		}
	} else {
		known, ok = a.memory.ofRealm(req.URL, given.Username)
	}
	if !ok {
		known, ok = a.memory.below(req.URL, given.Username)
	}
	if ok {
		known.set(req)
		return a.base.RoundTrip(req)
	}
	found, err := a.search(req.Context(), req.URL, index, policy, given.Username)
	if err != nil {
		return nil, err
	}
	if found.IsZero() && index != nil {
		found, _ = a.memory.ofRealm(req.URL, given.Username)
	}
	if found.IsZero() {
		found = given
	}
	return a.send(req, found, policy)
}

// withKnown sends a request without credentials, or with the user name that is known, and again with what it wants.
func (a *authenticated) withKnown(req *http.Request, known Credentials, index *root, policy Policy) (*http.Response, error) {
	named := known.Username != ""
	var refused *http.Response
	if policy != Always {
		first := req.Clone(req.Context())
		if !known.IsZero() {
			known.set(first)
		}
		resp, err := a.base.RoundTrip(first)
		if err != nil || !wantsCredentials(resp.StatusCode) {
			return resp, err
		}
		refused = resp
	}
	retry := func(c Credentials, remember bool) (*http.Response, error) {
		if refused != nil {
			_ = refused.Body.Close()
		}
		if remember {
			return a.send(req, c, policy)
		}
		c.set(req)
		return a.base.RoundTrip(req)
	}
	better, ok := Credentials{}, false
	if index != nil {
		better, ok = a.memory.below(index.index, known.Username)
	}
	if !ok {
		better, ok = a.memory.ofRealm(req.URL, known.Username)
	}
	if !ok {
		better = known
	}
	if better.complete() {
		return retry(better, false)
	}
	found, err := a.search(req.Context(), req.URL, index, policy, better.Username)
	switch {
	case err != nil:
		if refused != nil {
			_ = refused.Body.Close()
		}
		return nil, err
	case !found.IsZero():
		return retry(found, true)
	case !better.IsZero() && !named:
		return retry(better, false)
	case refused != nil:
		return refused, nil
	}
	return nil, &transport.Permanent{Err: fault.New(fault.Network, credentialsHint,
		"there are no credentials for it, and its index is only asked with some (authenticate = \"always\")")}
}

const credentialsHint = "give credentials: UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD, a netrc file, `uv auth login` or a keyring"

func wantsCredentials(code int) bool {
	return code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound
}

// send sends credentials, and remembers them if they are accepted.
func (a *authenticated) send(req *http.Request, c Credentials, policy Policy) (*http.Response, error) {
	if policy == Always && !c.complete() {
		return nil, &transport.Permanent{Err: fault.New(fault.Network, credentialsHint,
			"there is a user name for it and no password, and its index is only asked with both (authenticate = \"always\")")}
	}
	c.set(req)
	resp, err := a.base.RoundTrip(req)
	if err == nil && resp.StatusCode < http.StatusBadRequest {
		a.memory.put(req.URL, c)
	}
	return resp, err
}

// search looks for credentials in files and programs, once for an index, or a realm, and a user.
func (a *Auth) search(ctx context.Context, u *url.URL, index *root, policy Policy, username string) (Credentials, error) {
	key := searchKey{realm(u), username}
	if index != nil {
		key.of = index.index.String()
	}
	s, first := a.memory.begin(key)
	if !first {
		select {
		case <-s.done:
			return s.found, nil
		case <-ctx.Done():
			return Credentials{}, ctx.Err()
		}
	}
	defer close(s.done)
	service := bare(u)
	if index != nil {
		service = index.index
	}
	s.found = a.sources.find(ctx, bare(u), service, index != nil && policy == Always, username)
	if err := ctx.Err(); err != nil {
		a.memory.forget(key)
		return Credentials{}, fmt.Errorf("look for credentials: %w", err)
	}
	return s.found, nil
}
