package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// inside returns the path of an image with all of its links followed as they are followed when root is "/": absolute
// ones start there, and ".." does not leave it. The file must exist. The result is a path in the image.
func inside(root, path string) (string, error) {
	resolved, rest, links := "/", path, 0
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			resolved = filepath.Dir(resolved)
			continue
		}
		next := filepath.Join(resolved, name)
		info, err := os.Lstat(filepath.Join(root, next))
		if err != nil {
			return "", fmt.Errorf("find %q in the root: %w", path, err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			resolved = next
			continue
		}
		if links++; links > 40 { // as many as the kernel follows
			return "", fmt.Errorf("find %q in the root: %w", path, syscall.ELOOP)
		}
		target, err := os.Readlink(filepath.Join(root, next))
		if err != nil {
			return "", fmt.Errorf("find %q in the root: %w", path, err)
		}
		if filepath.IsAbs(target) {
			resolved = "/"
		}
		rest = target + "/" + rest
	}
	return resolved, nil
}
