package e2e

import (
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
		t.Errorf("%s: exit code %d, want %d", what, r.code, deliveryFault)
	}
	if !strings.Contains(r.stderr, path) || !strings.Contains(r.stderr, "no space left on device") || r.stdout != "" {
		t.Errorf("%s: stdout %q, stderr does not say that %s is full:\n%s", what, r.stdout, path, r.stderr)
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

func TestFullDiskForTheCache(t *testing.T) {
	t.Parallel()
	image := base(t, base12)
	u := newUser(t)
	project := u.example(fastapiDemo)
	// They end while the wheels, the base, the bytecode or the layers are made.
	for _, size := range []string{"1", "6", "12", "40", "60"} {
		u.cache = u.smallDisk(size)
		checkFull(t, "cache of "+size+" MiB", u.vpk("pack", project, "--base", image, "-o", "oci:"+u.path("image")), u.cache)
		if left, err := filepath.Glob(filepath.Join(u.cache, "tmp", "*")); err != nil || len(left) > 0 {
			t.Errorf("cache of %s MiB: scratch is left: %q, %v", size, left, err)
		}
		if exists(u.path("image")) {
			t.Errorf("cache of %s MiB: there is an image", size)
		}
	}
	// A cache that was filled to the brim does no harm later.
	if err := syscall.Mount("", u.cache, "", syscall.MS_REMOUNT, "mode=0755,size=500m"); err != nil {
		t.Fatal(err)
	}
	r := u.pack(project, "--base", image, "-o", "oci:"+u.path("image"))
	other := warmUser(t)
	if want := other.pack(project, "--base", image, "-o", "dir:"+other.path("files")).Digest; r.Digest != want {
		t.Errorf("digest %s, want %s", r.Digest, want)
	}
}
