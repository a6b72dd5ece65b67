package index

import (
	"net/url"
	"slices"
	"sync"
)

// memory is the credentials that are known (crates/uv-auth/src/cache.rs). It is safe for concurrent use.
type memory struct {
	mu     sync.Mutex
	realms map[realmUser]Credentials
	places []place
	// searches are those that were begun, by what they are for.
	searches map[searchKey]*search
}

type realmUser struct{ realm, username string }

// place is a URL below which credentials are used.
type place struct {
	realm    string
	segments []string
	Credentials
}

func newMemory() *memory {
	return &memory{realms: map[realmUser]Credentials{}, searches: map[searchKey]*search{}}
}

// put remembers credentials for a URL, what is below it, and its realm. Those of a realm give way only to better ones.
func (m *memory) put(u *url.URL, c Credentials) {
	if c.IsZero() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	here := realm(u)
	for _, key := range []realmUser{{here, c.Username}, {here, ""}} {
		if known, ok := m.realms[key]; !ok || c.complete() || !known.complete() {
			m.realms[key] = c
		}
	}
	p := place{here, segments(u), c}
	i := slices.IndexFunc(m.places, func(o place) bool { return o.realm == here && slices.Equal(o.segments, p.segments) })
	if i < 0 {
		m.places = append(m.places, p)
	} else {
		m.places[i] = p
	}
}

// below gives what is known for a URL: of the places that it is below, the highest counts. With a user name only complete
// credentials of that user will do.
func (m *memory) below(u *url.URL, username string) (Credentials, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	here, path := realm(u), segments(u)
	var best *place
	for i := range m.places {
		p := &m.places[i]
		if p.realm == here && isPrefix(p.segments, path) && (best == nil || len(p.segments) < len(best.segments)) {
			best = p
		}
	}
	if best == nil || username != "" && (best.Username != username || !best.complete()) {
		return Credentials{}, false
	}
	return best.Credentials, true
}

// ofRealm gives what is known for a URL's realm.
func (m *memory) ofRealm(u *url.URL, username string) (Credentials, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.realms[realmUser{realm(u), username}]
	if username != "" && !c.complete() {
		return Credentials{}, false
	}
	return c, ok
}

func isPrefix(prefix, path []string) bool {
	return len(prefix) <= len(path) && slices.Equal(prefix, path[:len(prefix)])
}

// searchKey says what a search is for: an index or a realm, and a user.
type searchKey struct{ of, username string }

// search is a look into files and programs, done once for all requests that wait for it.
type search struct {
	done  chan struct{}
	found Credentials
}

// begin gives the search for a key; first tells that the caller has to do it, and then to close done.
func (m *memory) begin(key searchKey) (s *search, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.searches[key]; s != nil {
		return s, false
	}
	s = &search{done: make(chan struct{})}
	m.searches[key] = s
	return s, true
}

// forget lets the next request search again.
func (m *memory) forget(key searchKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.searches, key)
}
