package layer

import (
	"fmt"
	"strconv"
	"time"

	"vpk/internal/cas"
	"vpk/venv/tree"
)

// FormatVersion names how a Spec becomes bytes. Version 3: the rules of the package comment, with the encoders of
// klauspost/compress v1.20. (Version 1 compressed a tar as a whole, version 2 cut the times of the base's directories to seconds.)
const FormatVersion = 3

// Owner is the numeric owner of what a layer holds.
type Owner struct{ UID, GID int }

// BaseDirectory is a directory that the base image already has: a layer that needs it repeats it with these attributes.
type BaseDirectory struct {
	Path  string // as tree.Entry.Path
	Mode  int64  // permission bits, with setuid, setgid and sticky as in a tar header
	Owner Owner
	MTime time.Time
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
	// Shared are directories that the layer begins with, and those above them, whether a part needs them or not. Whatever
	// parts are added or removed, they stay where they are: the bytes of a part depend on no other that shares only these.
	Shared []string
	// Compression of the blob.
	Compression Compression
}

// key is the cache key of the layer.
func (s Spec) key() string {
	inputs := []string{
		"layer", strconv.Itoa(FormatVersion), s.Compression.codec().key(),
		s.Owner.String(), stamp(s.time()),
		strconv.Itoa(len(s.Directories)), strconv.Itoa(len(s.Shared)),
	}
	for _, d := range s.Directories {
		inputs = append(inputs, d.Path, strconv.FormatInt(d.Mode, 8), d.Owner.String(), stamp(d.MTime))
	}
	inputs = append(inputs, s.Shared...)
	for _, p := range s.Parts {
		inputs = append(inputs, p.Name, partKey(p))
	}
	return cas.Key(inputs...)
}

// time is MTime as it is written.
func (s Spec) time() time.Time { return s.MTime.Truncate(time.Second) }

// stamp is a time in a key.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// partKey is the part's key, or that of all that its entries say.
func partKey(p tree.Part) string {
	if p.Key != "" {
		return p.Key
	}
	inputs := []string{"entries"}
	for _, e := range p.Entries {
		inputs = append(inputs, e.Path, strconv.Itoa(int(e.Kind)), strconv.FormatUint(uint64(e.Mode), 8), e.Target)
		if e.Kind == tree.File {
			inputs = append(inputs, e.Content.Digest().String(), strconv.FormatInt(e.Content.Size(), 10))
		}
	}
	return cas.Key(inputs...)
}

// String is the owner as "uid:gid".
func (o Owner) String() string { return fmt.Sprintf("%d:%d", o.UID, o.GID) }
