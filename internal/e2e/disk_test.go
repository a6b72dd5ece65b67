package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vpk/internal/peer"
)

// smallDisk is a new file system with so much space, in MiB.
func (u *user) smallDisk(mib string) string {
	u.t.Helper()
	dir := u.path("disk" + mib)
	if err := os.Mkdir(dir, 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+mib+"m"); err != nil {
		peer.Missing(u.t, "no small disk: only root can mount one: %v", err)
	}
	u.t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			u.t.Error(err)
		}
	})
	return dir
}

// checkFull checks the end of a run that found the disk full.
func checkFull(t *testing.T, what string, r result, path string) {
	t.Helper()
	if r.code != deliveryFault {
		t.Errorf("%s: exit code %d, want %d\n%s", what, r.code, deliveryFault, r.stderr)
	}
	if !strings.Contains(r.stderr, path) || !strings.Contains(r.stderr, "no space left on device") || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("%s: stderr does not say that %s is full, and what to do:\n%s", what, path, r.stderr)
	}
}

func TestFullDiskForTheOutput(t *testing.T) {
	t.Parallel()
	u, image := warmUser(t), base(t, base12)
	project := u.example(fastapiDemo)
	for _, size := range []string{"1", "20"} {
		disk := u.smallDisk(size)
		for _, out := range []string{"oci:layout", "oci-archive:oci.tar", "docker-archive:docker.tar", "dir:files"} {
			form, name, _ := strings.Cut(out, ":")
			path := filepath.Join(disk, name)
			checkFull(t, form+" in "+size+" MiB", u.vpk("pack", project, "--base", image, "-o", form+":"+path), path)
			if left, err := os.ReadDir(disk); err != nil || len(left) > 0 {
				t.Errorf("%s: left on the disk: %v, %v", form, left, err)
			}
		}
	}
}

// TestFullDiskForTheCache packs with a little more room each time, so that the disk is full when the wheels, the base, the
// bytecode and the layers are made, until there is enough.
func TestFullDiskForTheCache(t *testing.T) {
	t.Parallel()
	image, other := base(t, base12), warmUser(t)
	project := other.example(fastapiDemo)
	want := other.pack(project, "--base", image, "-o", "dir:"+other.path("files")).Digest
	t.Run("from nothing", func(t *testing.T) {
		u := newUser(t)
		u.cache = u.smallDisk("1")
		u.grow(1, 12, want, project, image)
	})
	t.Run("with wheels", func(t *testing.T) {
		u := newUser(t)
		u.cache = u.smallDisk("500")
		u.pack(project, "--base", image, "--no-bytecode", "-o", "dir:"+u.path("files"))
		u.grow(u.used()+1, 12, want, project, image)
	})
}

// used is how full the disk of the cache is, in MiB.
func (u *user) used() int {
	u.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(u.cache, &s); err != nil {
		u.t.Fatal(err)
	}
	return int((s.Blocks - s.Bfree) * uint64(s.Bsize) >> 20)
}

// grow packs with a cache on a disk of so many MiB, then so many more, and so on, until that succeeds.
func (u *user) grow(size, step int, want, project, image string) {
	t := u.t
	t.Helper()
	for ; size < 500; size += step {
		if err := syscall.Mount("", u.cache, "", syscall.MS_REMOUNT, fmt.Sprintf("mode=0755,size=%dm", size)); err != nil {
			t.Fatal(err)
		}
		r, ended := u.tryPack(project, "--base", image, "-o", "oci:"+u.path("image"))
		if ended.code == 0 {
			if r.Digest != want {
				t.Errorf("digest %s, want %s", r.Digest, want)
			}
			break
		}
		checkFull(t, fmt.Sprintf("cache of %d MiB", size), ended, u.cache)
		u.leavesNoScratch()
		if exists(u.path("image")) {
			t.Errorf("cache of %d MiB: there is an image", size)
		}
	}
}
