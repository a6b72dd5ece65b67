package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Mirror is a rule that says where to look for files in place of where the lock says.
type Mirror struct {
	// From is the beginning of URLs, http or https.
	From string
	// To are the places to look, in this order: http and https URLs, file URLs, or paths.
	To []string
}

// mirrorWire is a [[tool.vpk.mirror]].
type mirrorWire struct {
	From string `toml:"from"`
	To   any    `toml:"to"` // a string or several
}

// mirrorKeys are the known keys of a [[tool.vpk.mirror]].
var mirrorKeys = []string{"from", "to"}

// ParseMirror reads FROM=TO, as --mirror and VPK_MIRROR have it.
func ParseMirror(s string) (Mirror, error) {
	from, to, ok := strings.Cut(s, "=")
	if !ok {
		// It may be a URL with a password: it is not repeated.
		return Mirror{}, errors.New("a mirror is not of the form FROM=TO")
	}
	m := Mirror{From: from, To: []string{to}}
	return m, m.check()
}

func (w mirrorWire) mirror() (Mirror, error) {
	m := Mirror{From: w.From}
	switch to := w.To.(type) {
	case nil:
	case string:
		m.To = []string{to}
	case []any:
		for _, item := range to {
			text, ok := item.(string)
			if !ok {
				return m, errors.New(`mirror: "to" is neither a string nor an array of strings`)
			}
			m.To = append(m.To, text)
		}
	default:
		return m, errors.New(`mirror: "to" is neither a string nor an array of strings`)
	}
	return m, m.check()
}

// check looks at the form of a rule. Its messages show nothing of To, which may hold a password.
func (m Mirror) check() error {
	u, err := url.Parse(m.From)
	switch {
	case m.From == "":
		return errors.New(`mirror: "from" is missing: the beginning of the URLs to replace`)
	case err != nil:
		return errors.New(`mirror: "from" is not a URL`)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New(`mirror: "from" has a user, a query or a fragment: give only the beginning of a URL`)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("mirror: from %q is not an http or https URL", m.From)
	case len(m.To) == 0:
		return fmt.Errorf(`mirror of %q: "to" is missing: a URL or a directory`, m.From)
	}
	for _, to := range m.To {
		scheme, _, ok := strings.Cut(to, "://")
		u, err := url.Parse(to)
		switch {
		case to == "":
			return fmt.Errorf(`mirror of %q: "to" is empty`, m.From)
		case !ok:
		case err != nil:
			return fmt.Errorf(`mirror of %q: "to" is a malformed URL`, m.From)
		case !slices.Contains([]string{"http", "https", "file"}, scheme):
			return fmt.Errorf(`mirror of %q: "to" is a URL of the scheme %q: want http, https or file`, m.From, scheme)
		case u.RawQuery != "" || u.Fragment != "":
			return fmt.Errorf(`mirror of %q: "to" has a query or a fragment, which would go nowhere`, m.From)
		case scheme == "file" && u.Path == "":
			return fmt.Errorf(`mirror of %q: "to" is a file URL without a path`, m.From)
		}
	}
	return nil
}

// In is the rule with the paths in To made absolute: they are relative to dir.
func (m Mirror) In(dir string) Mirror {
	m.To = slices.Clone(m.To)
	for i, to := range m.To {
		if rest, ok := strings.CutPrefix(to, "file://"); ok {
			if u, err := url.Parse(to); err == nil {
				rest = u.Path
			}
			m.To[i] = filepath.FromSlash(rest)
		} else if !strings.Contains(to, "://") && !filepath.IsAbs(to) {
			m.To[i] = filepath.Join(dir, filepath.FromSlash(to))
		}
	}
	return m
}
