package lockfile

import (
	"cmp"
	"fmt"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// need is a requirement in the form in which the lock's and pyproject.toml's are compared: normalised as uv does
// (crates/uv-resolver/src/lock/mod.rs:5378).
type need struct {
	key  needKey
	text string // for messages
	// extras are needed to flatten.
	extras []string
}

type needKey struct {
	name, extras, groups string
	condition            pep508.Condition
	source               string // with its kind; of a registry the specifiers too
}

// needs normalises requirements.
type needs struct {
	*pep508.Algebra
	disk         Disk
	lower, upper pep440.Bound // of the lock's requires-python
}

// of makes a need. Paths in the source are relative to dir, an absolute path.
func (n *needs) of(r Requirement, condition pep508.Condition, dir string) need {
	extras, groups := slices.Sorted(slices.Values(r.Extras)), slices.Sorted(slices.Values(r.Groups))
	return need{
		key: needKey{
			name: r.Name, extras: strings.Join(extras, ","), groups: strings.Join(groups, ","),
			condition: n.Simplify(condition, n.lower, n.upper), source: n.source(r, dir),
		},
		text:   requirementText(r),
		extras: extras,
	}
}

// locked gives the needs of the lock.
func (n *needs) locked(list []Requirement) []need {
	result := make([]need, len(list))
	for i, r := range list {
		result[i] = n.of(r, n.Of(r.Marker), n.disk.abs("", ""))
	}
	return result
}

func (n *needs) source(r Requirement, dir string) string {
	s := r.Source
	switch s.Kind {
	case Registry:
		clauses := make([]string, len(r.Specifiers))
		for i, c := range r.Specifiers {
			c.Version = c.Version.Trimmed()
			clauses[i] = c.String()
		}
		slices.Sort(clauses)
		index := ""
		if s.Location != "" {
			index = n.index(s.Location, dir)
		}
		conflict := ""
		if r.Conflict != nil {
			conflict = fmt.Sprint(*r.Conflict)
		}
		return strings.Join([]string{string(s.Kind), strings.Join(clauses, ","), index, conflict}, "\x00")
	case Git:
		return string(s.Kind) + "\x00" + gitKey(s.Location)
	case URL:
		return strings.Join([]string{string(s.Kind), plainURL(s.Location), pathpkg.Clean("/" + s.Subdirectory)}, "\x00")
	}
	location := s.Location
	if !pathpkg.IsAbs(location) {
		location = pathpkg.Join(dir, location)
	}
	return string(s.Kind) + "\x00" + pathpkg.Clean(location)
}

// index gives the one form of an index's URL or path.
func (n *needs) index(location, dir string) string {
	u, err := url.Parse(location)
	switch {
	case err == nil && u.Scheme == "file":
		location = u.Path
	case isURL(location):
		return plainURL(location)
	}
	if !pathpkg.IsAbs(location) {
		location = pathpkg.Join(dir, location)
	}
	return pathpkg.Clean(location)
}

// isURL tells a URL from a path: a scheme has more than one letter.
func isURL(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return ok && len(scheme) > 1 && !strings.ContainsAny(scheme, "/\\.")
}

// plainURL gives a URL without credentials and fragment, as uv prints it.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	// The user of a remote shell is no credential.
	if name := u.User.Username(); !strings.HasSuffix(u.Scheme, "ssh") || name != "git" {
		u.User = nil
	} else {
		u.User = url.User(name)
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	} else if u.Scheme == "http" {
		u.Host = strings.TrimSuffix(u.Host, ":80")
	}
	if u.Host != "" && u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// withoutSecrets gives a URL or a path as it may be shown: of a URL's query, which may be a signature, only what git sources
// have.
func withoutSecrets(location string) string {
	if !isURL(location) {
		return location
	}
	u, err := url.Parse(plainURL(location))
	if err != nil {
		return "(malformed URL)"
	}
	known := url.Values{}
	for _, key := range gitKeys {
		if value := u.Query().Get(key); value != "" {
			known.Set(key, value)
		}
	}
	u.RawQuery, u.ForceQuery = known.Encode(), false
	return u.String()
}

// gitKeys are the keys that the query of a git source has in a lock.
var gitKeys = []string{"branch", "tag", "rev", "subdirectory", "lfs"}

// gitKey gives the one form of a git source as the lock writes it; the commit does not count.
func gitKey(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	query := u.Query()
	parts := []string{}
	for _, key := range gitKeys {
		parts = append(parts, key+"="+query.Get(key))
	}
	u.RawQuery = ""
	return plainURL(u.String()) + "\x00" + strings.Join(parts, "\x00")
}

// requirementText words a requirement for a message.
func requirementText(r Requirement) string {
	text := pep508.Requirement{Name: r.Name, Extras: r.Extras, Specifiers: r.Specifiers}.String()
	switch {
	case r.Source.Kind != Registry:
		text += fmt.Sprintf(" @ %s %s", r.Source.Kind, withoutSecrets(r.Source.Location))
	case r.Source.Location != "":
		text += " of index " + withoutSecrets(r.Source.Location)
	}
	if !r.Marker.IsTrue() {
		text += " ; " + r.Marker.String()
	}
	return text
}

// difference is a need of one side only, or one on each side that are for the same package.
type difference struct{ wanted, locked *need }

// differ compares two sets of needs.
func differ(wanted, locked []need) []difference {
	without := func(list, other []need) []need {
		has := map[needKey]bool{}
		for _, n := range other {
			has[n.key] = true
		}
		var rest []need
		for _, n := range list {
			if !has[n.key] {
				has[n.key] = true
				rest = append(rest, n)
			}
		}
		slices.SortStableFunc(rest, func(a, b need) int {
			return cmp.Or(cmp.Compare(a.key.name, b.key.name), cmp.Compare(a.text, b.text))
		})
		return rest
	}
	more, less := without(wanted, locked), without(locked, wanted)
	var list []difference
	for i := range more {
		d := difference{wanted: &more[i]}
		if j := slices.IndexFunc(less, func(n need) bool { return n.key.name == more[i].key.name }); j >= 0 {
			n := less[j]
			d.locked = &n
			less = slices.Delete(less, j, j+1)
		}
		list = append(list, d)
	}
	for i := range less {
		list = append(list, difference{locked: &less[i]})
	}
	return list
}

// words says the difference; of is where the requirement stands, file the file that wants it.
func (d difference) words(file, of string) string {
	switch {
	case d.locked == nil:
		return fmt.Sprintf("%s wants %q%s, which uv.lock was made without", file, d.wanted.text, of)
	case d.wanted == nil:
		return fmt.Sprintf("uv.lock was made for %q%s, which %s does not want", d.locked.text, of, file)
	}
	return fmt.Sprintf("%s wants %q%s, uv.lock was made for %q", file, d.wanted.text, of, d.locked.text)
}
