package lockfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest names what is selected: "sha256:" and the hash of a line for each package with its name, version, kind of
// source, wheel and hash. It holds no place from where a file comes, so that it is the same behind a mirror, and nothing
// of the target, so that it is the same for two targets that get the same wheels. A project that is installed in place has
// its place in the workspace for a file.
func (s *Selection) Digest() string {
	var text strings.Builder
	text.WriteString("vpk selection 1\n")
	for _, p := range s.Packages {
		fmt.Fprintf(&text, "%s %s %s %s %s\n", p.Package.Name, p.Package.Version, p.Package.Source.Kind, p.Wheel.Filename, p.Wheel.Hash)
	}
	for _, p := range s.Local {
		fmt.Fprintf(&text, "%s %s %s %s\n", p.Package.Name, p.Package.Version, p.Package.Source.Kind, p.Package.Source.Location)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return "sha256:" + hex.EncodeToString(sum[:])
}
