package index

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"sync"

	"vpk/internal/progress"
	"vpk/internal/transport"
)

// sources are the places to look for credentials, in the order in which uv looks.
type sources struct {
	netrc    func() netrc
	store    func() store
	keyring  *keyring // nil for none
	progress progress.Reporter
}

func newSources(o AuthOptions) *sources {
	s := &sources{progress: o.Progress}
	s.netrc = sync.OnceValue(func() netrc {
		for _, name := range o.Netrc {
			data, err := o.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			n, parseErr := parseNetrc(string(data))
			if err := errors.Join(err, parseErr); err != nil {
				o.Progress.Note("credentials in %q are not used: %v", name, err)
			}
			return n
		}
		return nil
	})
	s.store = sync.OnceValue(func() store {
		if o.Store == "" {
			return nil
		}
		data, err := o.ReadFile(o.Store)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		entries, parseErr := parseStore(data)
		if err := errors.Join(err, parseErr); err != nil {
			o.Progress.Note("credentials in %q are not used: %v", o.Store, err)
		}
		return entries
	})
	if o.Keyring != "" {
		s.keyring = &keyring{program: o.Keyring, progress: o.Progress}
	}
	return s
}

// find looks for credentials for a URL, of a user if that is known. keyring is asked for service; without a user only if
// eager, for it is slow (middleware.rs).
func (s *sources) find(ctx context.Context, u, service *url.URL, eager bool, username string) Credentials {
	place, found := "", Credentials{}
	if c, ok := s.netrc().find(u.Hostname(), username); ok {
		place, found = "netrc", c
	} else if c, ok := s.store().find(u, username); ok {
		place, found = "credentials.toml", c
	} else if s.keyring != nil && (username != "" || eager) {
		if c, ok := s.keyring.find(ctx, service, username); ok {
			place, found = "keyring", c
		}
	}
	if place != "" {
		s.progress.Detail("credentials for %s are from %s", transport.Redact(realm(u)), place)
	}
	return found
}
