package pack

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

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

	// offer takes layers of the image as they become known, before it is delivered; nil: nobody wants them.
	offer func(...v1.Layer)
}

// offerBase offers the layers of a base.
func (o Options) offerBase(base v1.Image) error {
	if o.offer == nil {
		return nil
	}
	layers, err := base.Layers()
	if err == nil {
		o.offer(layers...)
	}
	return err
}

// offerOwn offers a layer of ours.
func (o Options) offerOwn(l *layer.Layer) {
	if o.offer != nil {
		o.offer(l)
	}
}

// Deliveries says where an image goes.
type Deliveries struct {
	Push    bool
	Load    string // engine, "auto", or "" for not
	Outputs []layer.Output
	// DigestFile is a path that the caller writes afterwards, "" for none: no file of the project.
	DigestFile string
	// TraceFile is another one.
	TraceFile string
}
