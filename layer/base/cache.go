package base

import "vpk/internal/cas"

// The kinds of cache entries. A version is raised when the form of an entry changes or what is derived means something else.
var (
	// kindManifest: manifests, indexes and configs from registries, by SHA-256.
	kindManifest = cas.Kind{Name: "base-manifest", Version: 1}
	// kindBlob: layers from registries, by SHA-256.
	kindBlob = cas.Kind{Name: "base-blob", Version: 1}
	// kindTag: the digest that a tag had when it was last resolved, as text, by the reference. The one kind whose entries change.
	kindTag = cas.Kind{Name: "base-tag", Version: 1}
	// kindArchive: image archives that are compressed as a whole, inflated, by SHA-256; and as records under the SHA-256
	// of the compressed file the name of the other.
	kindArchive      = cas.Kind{Name: "base-archive", Version: 1}
	kindArchiveNames = cas.Kind{Name: "base-archive-name", Version: 1}
	// kindFiles: the file index, by manifest digest.
	kindFiles = cas.Kind{Name: "base-files", Version: 1}
	// kindRoot: the unpacked root, by manifest digest.
	kindRoot = cas.Kind{Name: "base-root", Version: 2}
)

// Downloads are the kinds of what comes from elsewhere, and is not derived here.
func Downloads() []cas.Kind { return []cas.Kind{kindManifest, kindBlob, kindTag} }
