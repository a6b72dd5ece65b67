package e2e

import (
	"strings"
	"testing"
)

// TestReproduce: real wheels, compiled twice; then against an image that another user packed at another time.
func TestReproduce(t *testing.T) {
	t.Parallel()
	u, image := newUser(t), base(t, base12)
	project := u.example(fastapiDemo)
	digest := u.does("reproduce", project, "--base", image)
	if r := u.pack(project, "--base", image, "-o", "oci:"+u.path("image")); r.Digest != digest {
		t.Errorf("reproduced %s, packed %s", digest, r.Digest)
	}

	other := newUser(t)
	other.env["SOURCE_DATE_EPOCH"] = "1700000000"
	packed := other.pack(other.example(fastapiDemo), "--base", image, "--compression", "zstd", "--dev", "-o", "oci:"+other.path("image"))
	again := u.vpk("reproduce", project, "--base", image, "--against", "oci:"+other.path("image"))
	if strings.TrimSpace(again.stdout) != packed.Digest || again.code != 0 {
		t.Errorf("exit code %d: %s; want %s\n%s", again.code, again.stdout, packed.Digest, again.stderr)
	}
	t.Logf("\n%s", again.stderr)

	edit(t, project+"/app.py", "Distroless Demo", "Another Demo")
	if r := u.vpk("reproduce", project, "--base", image, "--against", "oci:"+other.path("image")); r.code != notReproducible || !strings.Contains(r.stdout, "~ app/app.py  ") {
		t.Errorf("another source: exit code %d\n%s", r.code, r.stdout)
	}
}
