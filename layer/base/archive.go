package base

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// budget is what is left of the ceilings, shared by the layers of an image.
type budget struct {
	bytes atomic.Int64 // of the layers, uncompressed
	sizes atomic.Int64 // of the files, as their headers claim: a sparse file claims more than the archive holds
	files atomic.Int64
	names atomic.Int64 // in bytes, link targets included: all are in memory before the layers are squashed
}

func newBudget() *budget {
	b := new(budget)
	b.bytes.Store(MaxSize)
	b.sizes.Store(MaxSize)
	b.files.Store(MaxFiles)
	b.names.Store(maxNames)
	return b
}

func (b *budget) takeBytes(n int64) error {
	if b.bytes.Add(-n) < 0 {
		return broken("image is larger than %d GiB", MaxSize>>30)
	}
	return nil
}

func (b *budget) takeFile(header *tar.Header) error {
	if b.files.Add(-1) < 0 {
		return broken("image has more than %d entries", MaxFiles)
	}
	if b.names.Add(-int64(len(header.Name)+len(header.Linkname))) < 0 {
		return broken("names in the image have more than %d MiB", maxNames>>20)
	}
	if size := header.Size; size < 0 || size > MaxSize || b.sizes.Add(-size) < 0 {
		return broken("files of the image are larger than %d GiB", MaxSize>>30)
	}
	return nil
}

// visitor gets each entry of a layer: its number in the archive, its header, and its content.
type visitor func(ordinal int, header *tar.Header, content io.Reader) error

// walkArchive visits the entries of a layer in order. It takes them from the budget.
func walkArchive(r io.Reader, b *budget, visit visitor) error {
	archive := tar.NewReader(r)
	for ordinal := 0; ; ordinal++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken("read entry %d: %w", ordinal, err)
		}
		if err := b.takeFile(header); err != nil {
			return err
		}
		if err := visit(ordinal, header, archive); err != nil {
			return fmt.Errorf("read %q: %w", header.Name, err)
		}
	}
}

// newItem turns a header into what the squashing needs, without content. ok is false for an entry that makes nothing.
func newItem(header *tar.Header, at place) (it item, ok bool, err error) {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return item{}, false, nil
	}
	if it.path, err = memberPath(header.Name); err != nil {
		return item{}, false, err
	}
	dir, name := parent(it.path), path.Base(it.path)
	switch {
	case strings.HasPrefix(dir, whiteoutMeta), strings.Contains(dir, "/"+whiteoutMeta):
		return item{}, false, nil
	case name == whiteoutOpaque:
		return item{kind: itemOpaque, path: dir}, true, nil
	case strings.HasPrefix(name, whiteoutMeta):
		return item{}, false, nil
	case strings.HasPrefix(name, whiteoutPrefix):
		hidden := name[len(whiteoutPrefix):]
		if hidden == "" || hidden == "." || hidden == ".." {
			return item{}, false, errors.New("whiteout of nothing")
		}
		return item{kind: itemWhiteout, path: path.Join(dir, hidden)}, true, nil
	}
	mode := fs.FileMode(header.Mode & 0o777)
	for bit, m := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if header.Mode&bit != 0 {
			mode |= m
		}
	}
	e := Entry{Mode: mode, UID: header.Uid, GID: header.Gid, ModTime: modTime(header.ModTime)}
	switch header.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		e.Size, e.place = header.Size, at
	case tar.TypeDir:
		e.Mode |= fs.ModeDir
	case tar.TypeSymlink:
		if e.Mode |= fs.ModeSymlink; header.Linkname == "" || len(header.Linkname) > MaxPath {
			return item{}, false, fmt.Errorf("symbolic link with a target of %d bytes", len(header.Linkname))
		}
		e.Link = header.Linkname
	case tar.TypeChar:
		e.Mode |= fs.ModeDevice | fs.ModeCharDevice
	case tar.TypeBlock:
		e.Mode |= fs.ModeDevice
	case tar.TypeFifo:
		e.Mode |= fs.ModeNamedPipe
	case tar.TypeLink:
		it.kind = itemHardLink
		it.linkname, err = memberPath(header.Linkname)
		return it, true, err
	default:
		return item{}, false, fmt.Errorf("entry of unknown type %q", header.Typeflag)
	}
	it.inode = &inode{e}
	return it, true, nil
}

// modTime is a time that the record of the index can hold and a file system is likely to.
func modTime(t time.Time) time.Time {
	if t.Year() < 1902 || t.Year() > 9999 {
		t = time.Unix(0, 0)
	}
	return t.UTC()
}

// memberPath is the clean path for a name in a layer's archive.
func memberPath(name string) (string, error) {
	if len(name) > MaxPath {
		return "", fmt.Errorf("name longer than %d bytes", MaxPath)
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("name with a zero byte")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`name with ".."`)
		}
		if len(part) > MaxName {
			return "", fmt.Errorf("name with a part longer than %d bytes", MaxName)
		}
	}
	return clean(name), nil
}
