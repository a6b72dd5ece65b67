package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// rootfs builds the container's file system in a mount namespace of its own.
//
// The root is a small tmpfs: the image's root must not change, and may lack the directories that have to be there. Each of
// the image's entries is bound into it. What comes from the host is cloned first, sealed while it is still out of sight,
// and attached after the root was changed, when paths mean what they mean in the image.
type rootfs struct {
	uid, gid int
	// scratch are the tmpfs that hold mount points; they are sealed at the end.
	scratch []string
}

// mount is a subtree of the host, cloned and not yet attached, or a symbolic link to make.
type mount struct {
	fd   int
	dir  bool
	link string
	name string
}

const (
	sealed = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID
	// devices may be opened, in mounts that are not nodev.
	noDevices = unix.MOUNT_ATTR_NODEV
)

// clone takes a subtree of the host, with the mounts in it.
func clone(path string, attributes uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("clone mount of %q: %w", path, err)
	}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return -1, fmt.Errorf("seal mount of %q: %w", path, errors.Join(err, unix.Close(fd)))
	}
	return fd, nil
}

func attach(fd int, path string) error {
	err := unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("attach mount at %q: %w", path, err)
	}
	return nil
}

// cloneEntries takes everything in a directory but what skip names.
func cloneEntries(dir string, skip ...string) ([]mount, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var mounts []mount
	for _, e := range list {
		if slices.Contains(skip, e.Name()) {
			continue
		}
		m, path := mount{fd: -1, name: e.Name(), dir: e.IsDir()}, filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			m.link, err = os.Readlink(path)
		} else {
			m.fd, err = clone(path, sealed|noDevices)
		}
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// tmpfs mounts an empty file system that belongs to the image's user.
func (r *rootfs) tmpfs(path string, mode fs.FileMode) error {
	options := fmt.Sprintf("mode=%o,uid=%d,gid=%d", mode, r.uid, r.gid)
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount tmpfs on %q: %w", path, err)
	}
	return nil
}

// place attaches what cloneEntries took in a directory of a scratch tmpfs.
func (r *rootfs) place(dir string, mounts []mount) error {
	for _, m := range mounts {
		path := filepath.Join(dir, m.name)
		if m.fd < 0 {
			if err := os.Symlink(m.link, path); err != nil {
				return err
			}
			continue
		}
		if err := makeNode(path, m.dir); err != nil {
			return err
		}
		if err := attach(m.fd, path); err != nil {
			return err
		}
	}
	return nil
}

// makeNode makes an empty directory or file.
func makeNode(path string, dir bool) error {
	if dir {
		return os.Mkdir(path, 0o755)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// point returns a path to mount on: path with its links followed, made where there is nothing. A directory of the image
// in which it can't be made is replaced by a scratch tmpfs with the same entries.
func (r *rootfs) point(path string, dir bool) (string, error) {
	wanted := path
	for range 40 { // as many links as the kernel follows
		if path == "/" {
			return path, nil
		}
		parent, err := r.point(filepath.Dir(path), true)
		if err != nil {
			return "", err
		}
		path = filepath.Join(parent, filepath.Base(path))
		target, err := os.Readlink(path)
		switch {
		case errors.Is(err, unix.EINVAL): // it exists and is no link
			return path, nil
		case errors.Is(err, fs.ErrNotExist):
			return path, r.makePoint(path, dir)
		case err != nil:
			return "", err
		case filepath.IsAbs(target):
			path = filepath.Clean(target)
		default:
			path = filepath.Join(parent, target)
		}
	}
	return "", fmt.Errorf("find %q in the image: %w", wanted, unix.ELOOP)
}

// makePoint makes an empty directory or file to mount on, in a scratch tmpfs.
func (r *rootfs) makePoint(path string, dir bool) error {
	err := makeNode(path, dir)
	if !errors.Is(err, unix.EROFS) {
		return err
	}
	if err := r.mirror(filepath.Dir(path)); err != nil {
		return err
	}
	return makeNode(path, dir)
}

// mirror replaces a directory of the image by a scratch tmpfs with the same entries.
func (r *rootfs) mirror(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	entries, err := cloneEntries(dir)
	if err != nil {
		return err
	}
	if err := r.tmpfs(dir, info.Mode().Perm()|0o700); err != nil {
		return err
	}
	r.scratch = append(r.scratch, dir)
	return r.place(dir, entries)
}

// seal makes the scratch file systems read-only.
func (r *rootfs) seal() error {
	for _, path := range r.scratch {
		if err := unix.MountSetattr(unix.AT_FDCWD, path, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("seal %q: %w", path, err)
		}
	}
	return nil
}
