package base

// The ceilings on what a base may be. They are far above any image that runs, and far below what would hurt a machine.
const (
	// MaxDocument bounds a manifest, an index or a config: twice what registries accept (4 MiB).
	MaxDocument = 8 << 20
	// MaxLayers bounds the layers of an image; overlay file systems stop near 127, squashed ones do not.
	MaxLayers = 512
	// MaxSize bounds the layers of an image in sum, as they come and uncompressed, and its files.
	MaxSize = 32 << 30
	// MaxFiles bounds the entries of all layers.
	MaxFiles = 1 << 20
	// MaxPath and MaxName are Linux's PATH_MAX and NAME_MAX: a longer path could not be unpacked.
	MaxPath = 4096
	MaxName = 255
	// MaxELF bounds a program or library whose headers are read; a larger one is only a file.
	MaxELF = 256 << 20

	// maxMembers bounds the members of an image archive.
	maxMembers = 1 << 16
	// maxLinks is how many links may be followed in one path, as in Linux.
	maxLinks = 40
	// maxPaths bounds the paths of an image, in sum of their lengths.
	maxPaths = 256 << 20
	// maxNames bounds the names in all layers, in sum of their lengths: those of a million files with long paths.
	maxNames = 256 << 20
	// maxDepth bounds how deeply indexes nest.
	maxDepth = 4
)
