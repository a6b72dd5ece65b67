package index

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// store is uv's file of credentials, which `uv auth login` writes (crates/uv-auth/src/store.rs).
type store []storeEntry

type storeEntry struct {
	service *url.URL
	Credentials
}

// parseStore reads credentials.toml. Its errors show nothing of the file's text.
func parseStore(data []byte) (store, error) {
	var w struct {
		Credential []struct {
			Service  string  `toml:"service"`
			Username string  `toml:"username"`
			Scheme   string  `toml:"scheme"`
			Password *string `toml:"password"`
			Token    string  `toml:"token"`
		} `toml:"credential"`
	}
	if err := toml.Unmarshal(data, &w); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ := at.Position()
			return nil, fmt.Errorf("line %d is not what uv writes", line)
		}
		return nil, errors.New("it is not TOML")
	}
	var s store
	for i, c := range w.Credential {
		bad := func(what string) (store, error) { return nil, fmt.Errorf("credential %d %s", i+1, what) }
		service := c.Service
		if !strings.Contains(service, "://") {
			service = "https://" + service
		}
		u, ok := parse(service)
		if !ok || u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			return bad("has a service that is not an https URL")
		}
		e := storeEntry{service: bare(u), Credentials: Credentials{Username: c.Username, Password: c.Password}}
		switch c.Scheme {
		case "", "basic":
			if c.Username == "" || c.Token != "" {
				return bad("has no username, or a token")
			}
		case "bearer":
			if c.Token == "" || c.Username != "" || c.Password != nil {
				return bad("has no token, or a username or password")
			}
			e.Credentials = Credentials{Token: c.Token}
		default:
			return bad("has a scheme that is neither basic nor bearer")
		}
		s = append(s, e)
	}
	return s, nil
}

// find gives the entry of the longest service that is the beginning of a URL. Where two are equally long, and no user name tells
// them apart, there is none.
func (s store) find(u *url.URL, username string) (Credentials, bool) {
	best, ambiguous := -1, false
	length := func(i int) int { return len(segments(s[i].service)) }
	for i, e := range s {
		if realm(e.service) != realm(u) || !isPrefix(segments(e.service), segments(u)) || username != "" && username != e.Username {
			continue
		}
		switch {
		case best < 0 || length(i) > length(best):
			best, ambiguous = i, false
		case length(i) == length(best) && s[best].Username == e.Username:
			best = i // as in a table, the last of one name
		case length(i) == length(best):
			ambiguous = true
		}
	}
	if best < 0 || ambiguous {
		return Credentials{}, false
	}
	return s[best].Credentials, true
}
