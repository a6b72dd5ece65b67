package index

import (
	"cmp"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"vpk/lockfile/pep508"
	"vpk/wheel/tag"
)

// Rule is one mirror rule: From is an http or https URL, To are such URLs, with user and password or not, or absolute paths.
type Rule struct {
	From string
	To   []string
}

// Mirrors are rules that say where files are looked for in place of their URLs.
type Mirrors struct{ rules []mirror }

type mirror struct {
	realm    string
	segments []string
	to       []string
}

// NewMirrors makes Mirrors of rules; of rules with the same From, those that come first are tried first. Rules whose From is no
// http or https URL never apply.
func NewMirrors(rules []Rule) Mirrors {
	var m Mirrors
	for _, r := range rules {
		if u, ok := parse(r.From); ok {
			m.rules = append(m.rules, mirror{realm(u), segments(u), r.To})
		}
	}
	slices.SortStableFunc(m.rules, func(a, b mirror) int { return cmp.Compare(len(b.segments), len(a.segments)) })
	return m
}

// Places are where to look for the file of a URL, in this order: URLs, and absolute paths. There are none where no rule applies.
func (m Mirrors) Places(rawURL string, file tag.Filename) []string {
	u, ok := parse(rawURL)
	if !ok {
		return nil
	}
	path := segments(u)
	var places []string
	length := -1
	for _, r := range m.rules {
		if length >= 0 && len(r.segments) < length {
			break
		}
		if r.realm == realm(u) && isPrefix(r.segments, path) {
			length = len(r.segments)
			for _, to := range r.to {
				places = append(places, below(to, path[length:], file)...)
			}
		}
	}
	return places
}

// below gives the places of a file at a mirror: rest are the escaped parts of the URL that the rule leaves. A name is normalised.
func below(to string, rest []string, file tag.Filename) []string {
	remote := strings.Contains(to, "://")
	words := []string{pep508.NormalizeName(file.Name), file.Version, file.String()}
	if remote {
		for i, w := range words {
			words[i] = url.QueryEscape(w) // in a path some servers take a plus for a space
		}
	}
	filled := strings.NewReplacer("{name}", words[0], "{version}", words[1], "{filename}", words[2]).Replace(to)
	switch {
	case filled != to:
		return []string{filled}
	case remote:
		return []string{strings.TrimRight(to, "/") + "/" + strings.Join(rest, "/")}
	}
	var places []string
	if path, err := url.PathUnescape(strings.Join(rest, "/")); err == nil && filepath.IsLocal(filepath.FromSlash(path)) {
		places = append(places, filepath.Join(to, filepath.FromSlash(path)))
	}
	if flat := filepath.Join(to, file.String()); !slices.Contains(places, flat) {
		places = append(places, flat)
	}
	return places
}
