package base

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
)

// Ref says where a base image is. It is plain data: making one touches neither disk nor network.
type Ref struct {
	scheme string         // "" for a registry
	rest   string         // what follows the scheme, without the digest
	digest string         // "sha256:…", or "" where the reference may come to mean something else
	remote name.Reference // of a registry: what to ask for by tag, nil when there is only a digest
}

// The schemes of local references.
const (
	schemeLayout  = "oci"
	schemeArchive = "oci-archive"
	schemeDocker  = "docker-archive"
)

const refForms = "a base is a registry reference (REGISTRY/NAME:TAG), oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG]; " +
	"all but the last may end in @sha256:HEX"

// tagPattern is the grammar of tags (OCI distribution specification).
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// ParseRef reads a reference as --base and [tool.vpk] have it. Which part of "oci:a:b" is the tag is decided when the
// reference is opened: the longest path that exists is the path.
//
// A wrong reference is a fault.Usage that names the forms.
func ParseRef(s string) (Ref, error) {
	wrong := func(format string, args ...any) (Ref, error) {
		return Ref{}, fault.New(fault.Usage, refForms, "base image %q: "+format, append([]any{s}, args...)...)
	}
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsAny(s, "\x00\n\r\t") {
		return wrong("not a reference")
	}
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case strings.HasPrefix(s, "/"), strings.HasPrefix(s, "."):
		return wrong("a path alone does not say what is there")
	case ok && (scheme == schemeLayout || scheme == schemeArchive || scheme == schemeDocker):
		r := Ref{scheme: scheme, rest: rest}
		if i := strings.LastIndex(rest, "@sha256:"); i >= 0 {
			r.rest, r.digest = rest[:i], rest[i+1:]
			if _, err := v1.NewHash(r.digest); err != nil {
				return wrong("%q is not a digest", r.digest)
			}
			if scheme == schemeDocker {
				return wrong("a Docker archive has no digests")
			}
		}
		if r.rest == "" || strings.HasPrefix(r.rest, ":") {
			return wrong("no path after %s:", scheme)
		}
		return r, nil
	case ok && (strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, ".")):
		return wrong("%s: is not a kind of base", scheme)
	}
	r := Ref{rest: s}
	if before, digest, ok := strings.Cut(s, "@"); ok {
		if h, err := v1.NewHash(digest); err != nil || h.Algorithm != "sha256" {
			return wrong("%q is not a digest", digest)
		}
		r.rest, r.digest = before, digest
	}
	tag, err := name.NewTag(r.rest)
	if err != nil {
		return wrong("%w", err)
	}
	r.remote = tag
	return r, nil
}

// String is the reference as it was given to ParseRef.
func (r Ref) String() string {
	s := r.rest
	if r.scheme != "" {
		s = r.scheme + ":" + s
	}
	if r.digest != "" {
		s += "@" + r.digest
	}
	return s
}

// IsRegistry says whether the base comes from a registry, not from a layout or an archive.
func (r Ref) IsRegistry() bool { return r.scheme == "" }

// Pinned says whether the reference names a digest.
func (r Ref) Pinned() bool { return r.digest != "" }

// Unpinned is the reference without its digest: where a newer base would be found.
func (r Ref) Unpinned() Ref {
	r.digest = ""
	return r
}

// In is the reference with a relative path taken from dir, where it names a path.
func (r Ref) In(dir string) Ref {
	if r.scheme != "" && !filepath.IsAbs(r.rest) {
		// Not filepath.Join, which would also clean a tag.
		r.rest = strings.TrimSuffix(dir, "/") + "/" + r.rest
	}
	return r
}

// split cuts the path of a local reference from its tag. exists says whether a path is there.
func (r Ref) split(exists func(path string) bool) (path, tag string) {
	if exists(r.rest) {
		return r.rest, ""
	}
	for i := len(r.rest); ; {
		i = strings.LastIndexByte(r.rest[:i], ':')
		if i < 0 {
			break
		}
		if exists(r.rest[:i]) {
			return r.rest[:i], r.rest[i+1:]
		}
	}
	// Nothing is there: cut where it would make the better message.
	if i := strings.LastIndexByte(r.rest, ':'); i > 0 && tagPattern.MatchString(r.rest[i+1:]) {
		return r.rest[:i], r.rest[i+1:]
	}
	return r.rest, ""
}
