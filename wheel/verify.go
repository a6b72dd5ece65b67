package wheel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"vpk/internal/cas"
)

// Kinds are what this room keeps in the cache.
func Kinds() []cas.Registration {
	return []cas.Registration{
		{Kind: wheels, Verify: cas.IsSHA256},
		{Kind: indexes, With: wheels, Verify: verifyIndex},
		{Kind: aliases, Verify: verifyAlias},
	}
}

// verifyIndex: it can be read, and says of each member what the headers of the wheel say, if that is there.
func verifyIndex(_ context.Context, p cas.Proof) error {
	data, err := p.Record()
	if err != nil {
		return err
	}
	index, err := decodeIndex(data)
	if err != nil {
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	}
	archive, err := p.Open(wheels, p.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	pass := indexing{archive: archive, size: info.Size()}
	headers, problems, err := pass.layout()
	if err != nil || len(problems) > 0 {
		return nil // the wheel is what is damaged
	}
	if err := index.matches(headers, info.Size()); err != nil {
		return fmt.Errorf("%w: %w", cas.ErrDamaged, err)
	}
	return nil
}

// matches compares an index with the headers of its archive.
func (x *Index) matches(headers []header, size int64) error {
	if x.ArchiveSize != size {
		return fmt.Errorf("it is of an archive of %d bytes, which has %d", x.ArchiveSize, size)
	}
	places := map[int64]*header{}
	names := map[string]bool{}
	for i := range headers {
		if h := &headers[i]; !h.isDir() {
			names[h.name] = true
			if h.compressed > 0 || places[h.offset] == nil {
				places[h.offset] = h
			}
		}
	}
	for _, m := range x.Members {
		h := places[m.Offset]
		if m.Compressed == 0 { // members without bytes may share a place with another
			if !names[m.Name] {
				return fmt.Errorf("the archive has no member %q", m.Name)
			}
			continue
		}
		if h == nil || h.name != m.Name || h.compressed != m.Compressed || h.size != m.Size || h.crc != m.CRC32 {
			return fmt.Errorf("it says of member %q what the archive does not", m.Name)
		}
	}
	if len(names) != len(x.Members) {
		return fmt.Errorf("it has %d members, the archive %d", len(x.Members), len(names))
	}
	return nil
}

// verifyAlias: it names a SHA-256.
func verifyAlias(_ context.Context, p cas.Proof) error {
	data, err := p.Record()
	if err != nil {
		return err
	}
	if sum, err := hex.DecodeString(string(data)); err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%w: %q is not a SHA-256", cas.ErrDamaged, data)
	}
	return nil
}
