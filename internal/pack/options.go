package pack

import (
	"time"

	"vpk/layer"
	"vpk/lockfile"
)

// Selection is what the command line says of packages. DefaultGroups and RootGroups are filled in from pyproject.toml.
type Selection struct {
	lockfile.Request
	Frozen        bool // do not compare the lock with pyproject.toml
	RequireHashes bool // refuse wheels of this machine that the lock has no hash for
}

// Options of Pack, Plan and PinBase.
type Options struct {
	Project   *Project
	Selection Selection

	Base string // reference
	Arch string // OCI architecture, "" for the host's
	// Archs are several OCI architectures, for Pack alone, which makes an image for each and an index of them.
	Archs    []string
	Bytecode bool
	Sandbox  string // as --sandbox
	Created  time.Time
	// Compression of the layers that are added.
	Compression layer.Compression

	Tags       []string
	Deliveries Deliveries
}

// Deliveries says where an image goes.
type Deliveries struct {
	Push    bool
	Load    string // engine, "auto", or "" for not
	Outputs []layer.Output
	// DigestFile is a path that the caller writes afterwards, "" for none: no file of the project.
	DigestFile string
}
