package layer

import (
	"fmt"
	"strconv"
	"time"

	"vpk/internal/cas"
	"vpk/venv/tree"
)

// FormatVersion names how a Spec becomes bytes. Version 1: the rules of the package comment, klauspost/compress v1.20 flate
// at level 5 over the whole tar.
const FormatVersion = 1

// Owner is the numeric owner of what a layer holds.
type Owner struct{ UID, GID int }

// BaseDirectory is a directory that the base image already has: a layer that needs it repeats it with these attributes.
type BaseDirectory struct {
	Path  string // as tree.Entry.Path
	Mode  int64  // permission bits, with setuid, setgid and sticky as in a tar header
	Owner Owner
	MTime time.Time // whole seconds count
}

// Spec says what a layer is made of.
type Spec struct {
	// Name is for people: errors, progress, reports. It does not enter the bytes.
	Name string
	// CreatedBy is the layer's line of the image's history. It does not enter the layer's bytes.
	CreatedBy string
	// Parts are written in this order.
	Parts []tree.Part
	// Owner of every entry, and of every directory but Directories.
	Owner Owner
	// MTime of every entry, and of every directory but Directories. Whole seconds count.
	MTime time.Time
	// Directories are known directories of the base. Those that the layer does not need are left out of it.
	Directories []BaseDirectory
}

// key is the cache key of the layer, empty when a part has none.
func (s Spec) key() string {
	parts := []string{
		"layer", strconv.Itoa(FormatVersion),
		s.Owner.String(), strconv.FormatInt(s.MTime.Unix(), 10),
		strconv.Itoa(len(s.Directories)),
	}
	for _, d := range s.Directories {
		parts = append(parts, d.Path, strconv.FormatInt(d.Mode, 8), d.Owner.String(), strconv.FormatInt(d.MTime.Unix(), 10))
	}
	for _, p := range s.Parts {
		if p.Key == "" {
			return ""
		}
		parts = append(parts, p.Name, p.Key)
	}
	return cas.Key(parts...)
}

// String is the owner as "uid:gid".
func (o Owner) String() string { return fmt.Sprintf("%d:%d", o.UID, o.GID) }
