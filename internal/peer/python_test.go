package peer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakePip is an interpreter whose pip makes an empty wheel of version 1 of each requirement but "none", and counts its runs.
const fakePip = `#!/bin/sh
[ "$1" = -c ] && exit 0
echo "$@" >>"$RUNS"
while [ "$1" != --dest ]; do shift; done
dir=$2
shift 2
for r in "$@"; do
  case $r in -*|manylinux*|3.11|none) continue ;; esac
  : >"$dir/$(echo "${r%%==*}" | tr - _)-1-py3-none-any.whl"
done
`

func TestWheelsAreDownloadedOnce(t *testing.T) {
	alone(t)
	t.Setenv("PATH", "/usr/bin:/bin")
	python, cache, runs := filepath.Join(t.TempDir(), "python"), t.TempDir(), filepath.Join(t.TempDir(), "runs")
	if err := os.WriteFile(python, []byte(fakePip), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VPK_TEST_PYTHON", python)
	t.Setenv("VPK_TEST_CACHE", cache)
	t.Setenv("RUNS", runs)
	want := []string{
		filepath.Join(cache, "wheels/zope-event==1/zope_event-1-py3-none-any.whl"), filepath.Join(cache, "wheels/b/b-1-py3-none-any.whl"),
	}
	for range 2 {
		if diff := cmp.Diff(want, Wheels(t, "zope-event==1", "b")); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(append(want[:1:1], filepath.Join(cache, "wheels/c/c-1-py3-none-any.whl")), Wheels(t, "zope-event==1", "c")); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(runs)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], " zope-event==1 b") || !strings.HasSuffix(lines[1], " c") {
		t.Errorf("pip ran with %q", lines)
	}
	if got := end(t, func(t testing.TB) { Wheels(t, "d", "none") }); !strings.Contains(got, "failed: pip downloaded ") || !strings.HasSuffix(got, "and not none") {
		t.Errorf("the test is %q", got)
	}
}
