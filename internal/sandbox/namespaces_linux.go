package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// devices are all that a container has of the host's.
var devices = []string{"null", "zero", "full", "random", "urandom"}

// namespaces is the engine of the same name.
type namespaces struct{}

func (namespaces) Name() string { return "namespaces" }

func (n namespaces) Start(ctx context.Context, c Command) (Process, error) {
	c, err := c.checked()
	if err != nil {
		return nil, refuse(n, err)
	}
	uid, gid := hostUser()
	attr := &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: c.UID, HostID: uid, Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: c.GID, HostID: gid, Size: 1}},
		GidMappingsEnableSetgroups: maySetGroups(),
		AmbientCaps:                []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP},
	}
	if c.Profile == Compile {
		attr.Cloneflags |= unix.CLONE_NEWNET | unix.CLONE_NEWUTS
	}
	s := stage{Program: programOf(c), Enclose: &enclosure{
		Root: raw(c.Root), Profile: c.Profile, UID: c.UID, GID: c.GID, DropGroups: attr.GidMappingsEnableSetgroups,
	}}
	for _, b := range c.Binds {
		s.Enclose.Binds = append(s.Enclose.Binds, bind{Host: raw(b.Host), Image: raw(b.Image), Writable: b.Writable})
	}
	return start(ctx, n, c, s, attr)
}

func programOf(c Command) program {
	return program{Args: raws(c.Args), Env: raws(c.Env), Dir: raw(c.Dir), Limits: c.Limits, Filter: c.Profile == Compile}
}

// hostUser is whom the container's user is on the host: the caller; when the caller is root, nobody, if this user namespace
// has one. The kernel does not limit the processes of root and lets it write to /proc/sys without any capability; and servers
// on abstract sockets, which Run's network shows, trust it.
func hostUser() (uid, gid int) {
	uid, gid = os.Geteuid(), os.Getegid()
	if uid == 0 && mapped("/proc/self/uid_map", nobody) && mapped("/proc/self/gid_map", nobody) {
		return nobody, nobody
	}
	return uid, gid
}

// maySetGroups says whether supplementary groups can be given up in a new user namespace. The kernel wants it forbidden
// for all but root, and where it was forbidden once.
func maySetGroups() bool {
	setgroups, err := os.ReadFile("/proc/self/setgroups")
	return os.Geteuid() == 0 && err == nil && string(bytes.TrimSpace(setgroups)) == "allow"
}

func mapped(table string, id int) bool {
	f, err := os.Open(table)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, count int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err == nil && inside <= id && id < inside+count {
			return true
		}
	}
	return false
}

// enclosure is the stage that builds the container around itself.
type enclosure struct {
	Root       raw
	Profile    Profile
	UID, GID   int
	DropGroups bool
	Binds      []bind
}

type bind struct {
	Host, Image raw
	Writable    bool
}

// guest is something of the host that is attached at a path of the image.
type guest struct {
	path string
	fd   int
	dir  bool
}

func (e *enclosure) enter() error {
	unix.Umask(0)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	entries, err := cloneEntries(string(e.Root), e.replaced()...)
	if err != nil {
		return fmt.Errorf("open the root: %w", err)
	}
	guests, err := e.guests()
	if err != nil {
		return err
	}
	r := &rootfs{uid: e.UID, gid: e.GID, scratch: []string{"/"}}
	if err := e.changeRoot(r); err != nil {
		return err
	}
	// From here on this is the image's user, with capabilities in the container.
	if err := e.changeUser(); err != nil {
		return err
	}
	if err := e.furnish(r, entries, guests); err != nil {
		return fmt.Errorf("build the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // "." is the host's root, stacked on the new one
		return fmt.Errorf("leave the host's root: %w", err)
	}
	if err := r.seal(); err != nil {
		return err
	}
	if e.Profile == Compile {
		if err := unix.Sethostname([]byte("localhost")); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
	}
	return dropCapabilities()
}

// replaced are the image's top-level entries that the container has its own of.
func (e *enclosure) replaced() []string {
	if e.Profile == Run {
		return []string{"dev", "proc", "tmp"}
	}
	return []string{"dev", "proc"}
}

// guests clones what the container gets of the host, beside the image's root.
func (e *enclosure) guests() ([]guest, error) {
	var guests []guest
	add := func(host, image string, attributes uint64) error {
		info, err := os.Stat(host)
		if err != nil {
			return err
		}
		fd, err := clone(host, attributes)
		guests = append(guests, guest{path: image, fd: fd, dir: info.IsDir()})
		return err
	}
	for _, d := range devices {
		if err := add("/dev/"+d, "/dev/"+d, sealed|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return nil, err
		}
	}
	if e.Profile == Run {
		for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
			if err := add(path, path, sealed|noDevices); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	for _, b := range e.Binds {
		attributes := uint64(sealed | noDevices)
		if b.Writable {
			attributes &^= unix.MOUNT_ATTR_RDONLY
		}
		if err := add(string(b.Host), filepath.Clean(string(b.Image)), attributes); err != nil {
			return nil, err
		}
	}
	return guests, nil
}

// changeRoot makes an empty tmpfs the root, with the old one stacked upon it as the working directory.
func (e *enclosure) changeRoot(r *rootfs) error {
	// In this namespace the image's own directory serves as the place.
	if err := r.tmpfs(string(e.Root), 0o755); err != nil {
		return err
	}
	if err := unix.Chdir(string(e.Root)); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return nil
}

// changeUser changes the user of this thread, which all of a stage happens on and which alone is left of it once it becomes the program.
// The standard library would change that of every thread, and wait for each of them: that takes longer than all else here.
func (e *enclosure) changeUser() error {
	if e.DropGroups {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return fmt.Errorf("drop groups: %w", errno)
		}
	}
	gid, uid := uintptr(e.GID), uintptr(e.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("become group %d: %w", e.GID, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("become user %d: %w", e.UID, errno)
	}
	return nil
}

// furnish fills the new root.
func (e *enclosure) furnish(r *rootfs, entries []mount, guests []guest) error {
	if err := r.place("/", entries); err != nil {
		return err
	}
	for _, dir := range e.replaced() {
		if err := os.Mkdir("/"+dir, 0o755); err != nil {
			return err
		}
	}
	if e.Profile == Run {
		if err := e.furnishRun(r); err != nil {
			return err
		}
	}
	for _, g := range guests {
		path, err := r.point(g.path, g.dir)
		if err != nil {
			return err
		}
		if err := attach(g.fd, path); err != nil {
			return err
		}
	}
	return nil
}

func (e *enclosure) furnishRun(r *rootfs) error {
	// Where parts of the host's /proc are hidden, as in containers, the kernel allows no other: there is none then.
	err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.Mkdir("/dev/shm", 0o755); err != nil {
		return err
	}
	for _, link := range [][2]string{
		{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
	} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			return err
		}
	}
	return errors.Join(r.tmpfs("/tmp", 0o1777), r.tmpfs("/dev/shm", 0o1777))
}

// dropCapabilities gives up all capabilities for good, those included that user 0 would get by executing a program.
func dropCapabilities() error {
	if err := boundCapabilities(); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData // version 3 takes two
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// boundCapabilities has the next program of this process, whoever's it is, get no capabilities but these.
func boundCapabilities(keep ...uintptr) error {
	for capability := range uintptr(64) {
		if slices.Contains(keep, capability) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break // the kernel has no more
		} else if err != nil {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop ambient capabilities: %w", err)
	}
	return nil
}
