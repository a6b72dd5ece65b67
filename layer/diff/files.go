package diff

import (
	"fmt"
	"io/fs"

	"vpk/layer/base"
)

// compareFiles compares what containers of two images see.
func compareFiles(a, b *base.Files) []Change {
	changes := []Change{}
	x, y := a.All(), b.All()
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].Path < y[0].Path:
			changes = append(changes, Change{Kind: Removed, Path: x[0].Path, Attributes: differing(fileAttributes(x[0]), nil)})
			x = x[1:]
		case len(x) == 0 || y[0].Path < x[0].Path:
			changes = append(changes, Change{Kind: Added, Path: y[0].Path, Attributes: differing(nil, fileAttributes(y[0]))})
			y = y[1:]
		default:
			if attributes := differing(fileAttributes(x[0]), fileAttributes(y[0])); len(attributes) > 0 {
				changes = append(changes, Change{Kind: Changed, Path: x[0].Path, Attributes: attributes})
			}
			x, y = x[1:], y[1:]
		}
	}
	return changes
}

// fileAttributes are what an entry of the index says, name and value by turns.
func fileAttributes(e base.Entry) []string {
	list := []string{
		"kind", fileKind(e.Mode),
		"mode", fmt.Sprintf("%04o", permissions(e.Mode)),
		"owner", fmt.Sprintf("%d:%d", e.UID, e.GID),
		"mtime", timeOf(e.ModTime),
		"target", e.Link,
		"file", e.HardLink,
	}
	if e.Mode.IsRegular() {
		list = append(list, "size", fmt.Sprint(e.Size), "content", "sha256:"+e.Digest.String())
	}
	return list
}

func fileKind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "link"
	case m&fs.ModeCharDevice != 0:
		return "character device"
	case m&fs.ModeDevice != 0:
		return "block device"
	case m&fs.ModeNamedPipe != 0:
		return "fifo"
	}
	return m.Type().String()
}

// permissions are the bits as Unix counts them.
func permissions(m fs.FileMode) int {
	bits := int(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
