package lockfile

import (
	"errors"
	"fmt"
	"net/url"
	pathpkg "path"
	"strings"
)

// SourceKind is where a package comes from, in the lock's own word.
type SourceKind string

// The kinds of source, in the order in which uv tries them.
const (
	Registry  SourceKind = "registry"
	Git       SourceKind = "git"
	URL       SourceKind = "url"
	Path      SourceKind = "path"
	Directory SourceKind = "directory"
	Editable  SourceKind = "editable"
	Virtual   SourceKind = "virtual"
)

// Source is a package's source. Equal sources are ==.
type Source struct {
	Kind SourceKind
	// Location is a URL or a path as written, for a git source with its query and fragment. Paths of source trees are
	// relative to the lock's directory and cleaned: "." is the root.
	Location string
	// Subdirectory is set for some archives of kind URL.
	Subdirectory string
}

// IsTree tells a directory of sources, whose version may be dynamic.
func (s Source) IsTree() bool { return s.Kind == Directory || s.Kind == Editable || s.Kind == Virtual }

// IsRoot tells the project in the lock's own directory.
func (s Source) IsRoot() bool {
	return (s.Kind == Editable || s.Kind == Virtual) && s.Location == "."
}

// IsLocalIndex tells a registry that is a directory or a file: URL.
func (s Source) IsLocalIndex() bool { return s.Kind == Registry && !isRemote(s.Location) }

// isLocal tells what --no-install-local leaves out (crates/uv-resolver/src/lock/mod.rs:4014).
func (s Source) isLocal() bool { return s.IsTree() || s.Kind == Path }

// Commit is the commit of a git source.
func (s Source) Commit() string {
	if s.Kind != Git {
		return ""
	}
	_, commit, _ := strings.Cut(s.Location, "#")
	return commit
}

// isCommit tells a full commit (crates/uv-git-types/src/oid.rs:53).
func isCommit(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// String is the source for messages, without passwords and tokens: "registry https://index.example/simple".
func (s Source) String() string {
	location, commit, _ := strings.Cut(s.Location, "#")
	if _, err := url.Parse(location); err != nil && isURL(location) {
		location = "(malformed URL)"
	}
	if s.Kind != Git {
		location, _, _ = strings.Cut(location, "?")
		return fmt.Sprintf("%s %s", s.Kind, withoutSecrets(location))
	}
	if location = withoutSecrets(location); commit != "" {
		location += " at " + commit
	}
	return fmt.Sprintf("%s %s", s.Kind, location)
}

// isRemote tells a URL that is fetched over HTTP.
func isRemote(location string) bool {
	scheme, _, ok := strings.Cut(location, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// sourceWire holds one source; more keys may be there, and the first in this order decides.
type sourceWire struct {
	Registry     *string `toml:"registry"`
	Git          *string `toml:"git"`
	URL          *string `toml:"url"`
	Subdirectory string  `toml:"subdirectory"`
	Path         *string `toml:"path"`
	Directory    *string `toml:"directory"`
	Editable     *string `toml:"editable"`
	Virtual      *string `toml:"virtual"`
}

var errNoSource = errors.New("no source: want one of registry, git, url, path, directory, editable, virtual")

// source reads a package's source (spec §1.2). Requirements have no commit and no registry key.
func (w sourceWire) source() (Source, error) {
	switch {
	case w.Registry != nil:
		return Source{Kind: Registry, Location: *w.Registry}, nil
	case w.Git != nil:
		return Source{Kind: Git, Location: *w.Git}, nil
	case w.URL != nil:
		return Source{Kind: URL, Location: *w.URL, Subdirectory: w.Subdirectory}, nil
	case w.Path != nil:
		return Source{Kind: Path, Location: *w.Path}, nil
	case w.Directory != nil:
		return Source{Kind: Directory, Location: pathpkg.Clean(*w.Directory)}, nil
	case w.Editable != nil:
		return Source{Kind: Editable, Location: pathpkg.Clean(*w.Editable)}, nil
	case w.Virtual != nil:
		return Source{Kind: Virtual, Location: pathpkg.Clean(*w.Virtual)}, nil
	}
	return Source{}, errNoSource
}

// locked reads the source of a package of the lock: one of git is a URL with a commit. Neither message shows a password.
func (w sourceWire) locked() (Source, error) {
	source, err := w.source()
	if err != nil || source.Kind != Git {
		return source, err
	}
	if u, err := url.Parse(source.Location); err != nil || u.Scheme == "" {
		return source, errors.New("its source is git, and the address of that is no URL")
	}
	if !isCommit(source.Commit()) {
		return source, fmt.Errorf("its source, %s, does not end in # and a commit of 40 hexadecimal digits", source)
	}
	return source, nil
}
