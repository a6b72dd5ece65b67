package lockfile_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/lockfile"
)

// otherUVs are versions of uv that write other revisions of the format than the pinned one. The last is newer than it.
var otherUVs = []string{"0.5.31", "0.6.3", "0.7.22", "0.13.9"}

const newerUV = "0.13.9"

// meantOtherwise are the selections, PROJECT MEMBER FLAGS, by which the newer uv means something else than the pinned one, and
// vpk the same as that.
var meantOtherwise = map[string]string{
	"conflicting-base  --group viacpu":               "an extra that a group activates is active everywhere",
	"member-directory packages/one --all-groups":     "groups of the root are every member's",
	"member-of-virtual-root two --group root-tools":  "groups of the root are every member's",
	"virtual-root  --package one --group root-tools": "groups of the root are every member's",
	"member-directory packages/two --package one":    "default groups are those of the member that is selected",
	"virtual-root-default  --package one":            "default groups are those of the member that is selected",
}

// otherUV is uv in a version that is not the pinned one.
func otherUV(t *testing.T, version string) string {
	t.Helper()
	wheel, err := zip.OpenReader(peer.NativeWheels(t, "uv=="+version)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer wheel.Close()
	file, err := wheel.Open("uv-" + version + ".data/scripts/uv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "uv")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// suiteSubset are the projects for tests that need only some: in full all of the suite.
func suiteSubset(t *testing.T, names ...string) []string {
	t.Helper()
	if peer.InFull() {
		files, err := filepath.Glob("testdata/suite/*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	for i, name := range names {
		names[i] = filepath.Join("testdata/suite", name+".txtar")
	}
	return names
}

// TestLocksOfOtherUVs has other versions of uv lock the suite's projects. Selections from the locks of older ones are
// compared with the pinned uv's, those from the newer one's with its own.
func TestLocksOfOtherUVs(t *testing.T) {
	pinned := newOracle(t)
	for _, version := range otherUVs {
		if !peer.InFull() && version != newerUV {
			continue
		}
		t.Run(version, func(t *testing.T) {
			locker := &oracle{uv: otherUV(t, version), home: t.TempDir(), pythons: map[string]string{}}
			judge := pinned
			if version == newerUV {
				judge = locker
			}
			server := newSuiteServer(t)
			var sum tally
			revisions := map[int]int{}
			unable, otherwise := 0, 0
			for _, file := range suiteSubset(t, "conflict-mixed", "by-python", "variants-many") {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
					p := writeSuiteProject(t, server, file)
					if err := p.lockWith(t, locker); err != nil {
						if version == newerUV {
							t.Fatal(err)
						}
						unable++ // it has something that this version does not know
						return
					}
					p.read(t)
					revisions[p.lock.Revision]++
					cases := p.cases
					if !peer.InFull() {
						cases = cases[:min(2, len(cases))]
					}
					for _, c := range cases {
						if why := meantOtherwise[p.name+" "+c.member+" "+strings.Join(c.flags, " ")]; judge != pinned && why != "" {
							otherwise++
							continue
						}
						p.compare(t, judge, c, &sum)
					}
				})
			}
			t.Logf("locks by revision: %v, and %d that uv %s cannot make; selections: %s, %d are meant otherwise",
				revisions, unable, version, sum, otherwise)
		})
	}
}

// restylings turn a lock of revision 3 into what other versions write or wrote.
var restylings = []struct {
	name    string
	replace func(text string) string
}{
	{"revision 0", func(text string) string {
		text = regexp.MustCompile(`(?m)^(revision = .*|provides-extras = .*|[\w-]+ = \[\])\n`).ReplaceAllString(text, "")
		text = strings.ReplaceAll(text, "[[package]]", "[[distribution]]")
		return strings.ReplaceAll(text, "[package.", "[distribution.")
	}},
	{"revision 1", func(text string) string {
		text = strings.Replace(text, "revision = 3", "revision = 1", 1)
		return strings.ReplaceAll(text, "[package.dev-dependencies", "[package.dependency-groups")
	}},
	{"revision 2", func(text string) string {
		text = strings.Replace(text, "revision = 3", "revision = 2", 1)
		return strings.ReplaceAll(text, ", size = ", `, upload_time = "2025-01-01T00:00:00Z", size = `)
	}},
	{"a later revision", func(text string) string {
		text = strings.Replace(text, "revision = 3", "revision = 77\nfuture = [{ x = 1 }]", 1)
		text = strings.ReplaceAll(text, ", size = ", `, future = { x = "y" }, size = `)
		return strings.ReplaceAll(text, "[[package]]\n", "[[package]]\nfuture = 1979-05-27T07:32:00Z\n")
	}},
}

// TestRestyledLocks rewrites locks as other versions of uv write them, and compares selections with uv's.
func TestRestyledLocks(t *testing.T) {
	uv := newOracle(t)
	server := newSuiteServer(t)
	files := suiteSubset(t, "extras", "groups")
	sums := make([]tally, len(restylings))
	for i, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			p := loadSuiteProject(t, server, uv, file)
			name := filepath.Join(p.dir, "uv.lock")
			before, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for j, restyling := range restylings {
				text := restyling.replace(string(before))
				if text == string(before) {
					t.Fatalf("%s is the lock that it was", restyling.name)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				if p.lock, err = lockfile.Parse([]byte(text), "uv.lock"); err != nil {
					t.Fatalf("%s: %v", restyling.name, err)
				}
				// Each form of each lock with one of the selections.
				p.compare(t, uv, p.cases[(i+j)%len(p.cases)], &sums[j])
			}
		})
	}
	for i, restyling := range restylings {
		t.Logf("%d locks as of %s: %s", len(files), restyling.name, sums[i])
	}
}

// String tells the counts.
func (s tally) String() string {
	return fmt.Sprintf("%d agree file by file, %d of which something is to be built agree by name, %d are refused by both, "+
		"%d that uv would install twice over are refused by vpk, %d differ", s.agree, s.named, s.refused, s.twice, s.differ)
}
