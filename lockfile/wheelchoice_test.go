package lockfile_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
	"vpk/lockfile"
	"vpk/wheel/tag"
)

// packagingChoice gives, for each target, all tags in order and the place of the best of each list of wheels: by rank, then
// build tag, then place.
const packagingChoice = `
import json, sys
import packaging._manylinux as m, packaging.tags as t
from packaging.utils import parse_wheel_filename
m._have_compatible_abi = lambda *a: True
answers = []
for q in json.load(sys.stdin):
    minor, arch = q["minor"], q["arch"]
    m._get_glibc_version = lambda: (2, q["glibc"])
    platforms = list(m.platform_tags([arch])) + ["linux_" + arch]
    cp = "cp3%d" % minor
    tags = list(t.cpython_tags((3, minor), [cp], platforms)) + list(t.compatible_tags((3, minor), cp, platforms))
    ranks = {tag: i for i, tag in reversed(list(enumerate(tags)))}
    best = []
    for names in q["wheels"]:
        found = []
        for i, name in enumerate(names):
            _, _, build, of = parse_wheel_filename(name)
            fits = [ranks[tag] for tag in of if tag in ranks]
            if fits:
                found.append((-min(fits), build, -i))
        best.append(-max(found)[2] if found else -1)
    answers.append({"tags": [str(tag) for tag in tags], "best": best})
print(json.dumps(answers))
`

// wheelNames makes names of wheels of one version of a package, all different, many of them near a target.
func wheelNames(chance *rand.Rand, name string, target tag.Target) []string {
	of := func(list ...string) string { return list[chance.IntN(len(list))] }
	set := func(make func() string) string {
		tags := []string{make()}
		for chance.IntN(5) == 0 {
			if t := make(); !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
		return strings.Join(tags, ".")
	}
	own := fmt.Sprintf("cp3%d", target.Python.Minor)
	cp := func() string { return of(own, own, fmt.Sprintf("cp3%d", 7+chance.IntN(10))) }
	var names []string
	for range 1 + chance.IntN(12) {
		python := set(func() string {
			return of(cp(), cp(), cp(), cp(), "py3", "py2", strings.Replace(cp(), "cp", "py", 1), "pp311", "cp3", "zz9")
		})
		abi := set(func() string {
			first, _, _ := strings.Cut(python, ".")
			return of("none", "none", "abi3", "abi3", first, first, first+"t", cp(), "pypy311_pp73", "zz9")
		})
		platform := set(func() string {
			arch := of(string(target.Arch), string(target.Arch), string(target.Arch), "x86_64", "aarch64", "i686", "armv7l")
			glibc := of("5", "12", "16", "17", "17", "17", "24", "27", "28", "31", "34", "35", "36", "39", "40", "41", "42")
			return of("any", "any", "linux_"+arch, "manylinux1_"+arch, "manylinux2010_"+arch, "manylinux2014_"+arch,
				"manylinux_2_"+glibc+"_"+arch, "manylinux_2_"+glibc+"_"+arch, "manylinux_2_"+glibc+"_"+arch, "manylinux_2_"+glibc+"_"+arch,
				"musllinux_1_2_"+arch, "win_amd64", "macosx_11_0_arm64", "zz9")
		})
		build := of("", "", "", "", "0-", "1-", "2-", "10-", "2a-", "1b-")
		if file := fmt.Sprintf("%s-1.0-%s%s-%s-%s.whl", name, build, python, abi, platform); !slices.Contains(names, file) {
			names = append(names, file)
		}
	}
	return names
}

// TestWheelChoice compares the wheel that is taken of generated ones with packaging's order and with what uv installs.
func TestWheelChoice(t *testing.T) {
	chance := rand.New(rand.NewPCG(11, 0))
	var targets []tag.Target
	for minor := 9; minor <= 15; minor++ {
		for _, arch := range []tag.Arch{tag.X8664, tag.AArch64} {
			for _, glibc := range []int{17, 24, 28, 31, 35, 36, 39, 41} {
				target := testTarget(fmt.Sprintf("3.%d.1", minor), arch)
				target.Glibc.Minor = glibc
				targets = append(targets, target)
			}
		}
	}
	const lists = 60
	type question struct {
		Minor  int        `json:"minor"`
		Arch   tag.Arch   `json:"arch"`
		Glibc  int        `json:"glibc"`
		Wheels [][]string `json:"wheels"`
	}
	questions := make([]question, len(targets))
	for i, target := range targets {
		questions[i] = question{Minor: target.Python.Minor, Arch: target.Arch, Glibc: target.Glibc.Minor}
		for j := range lists {
			questions[i].Wheels = append(questions[i].Wheels, wheelNames(chance, fmt.Sprintf("p%d", j), target))
		}
	}
	var answers []struct {
		Tags []string
		Best []int
	}
	peer.AskPackaging(t, packagingChoice, questions, &answers)
	fits, misses := 0, 0
	for i, target := range targets {
		tags := tag.NewTags(target)
		var list []string
		for _, tag := range tags.List() {
			list = append(list, tag.String())
		}
		if diff := cmp.Diff(answers[i].Tags, list); diff != "" {
			t.Errorf("%s: packaging - vpk +:\n%s", target, diff)
		}
		for j, names := range questions[i].Wheels {
			best := tag.Best(tags, mustFilenames(t, names...))
			if best != answers[i].Best[j] {
				t.Errorf("%s: of %q packaging takes %d, vpk %d", target, names, answers[i].Best[j], best)
			}
			if best >= 0 {
				fits++
			} else {
				misses++
			}
		}
	}
	uv := newOracle(t)
	wheels := fakeWheels(t)
	installs := 0
	for i, target := range targets {
		if unknown := target.Glibc.Minor == 24 || target.Glibc.Minor == 41; unknown || !peer.InFull() && i%37 != 19 {
			continue // uv has no name for such a platform, or this is a sample
		}
		installs += compareWheelChoice(t, uv, wheels.URL, target, questions[i].Wheels)
	}
	t.Logf("%d targets: %d choices and %d misses as in packaging; %d choices as in uv", len(targets), fits, misses, installs)
}

// compareWheelChoice compares what is selected from a lock with what uv installs. Packages without a fitting wheel are left
// out of it.
func compareWheelChoice(t *testing.T, uv *oracle, wheels string, target tag.Target, lists [][]string) int {
	t.Helper()
	tags := tag.NewTags(target)
	var packages, edges strings.Builder
	for _, names := range lists {
		if !slices.ContainsFunc(names, func(name string) bool { return tag.Best(tags, mustFilenames(t, name)) == 0 }) {
			continue
		}
		name, _, _ := strings.Cut(names[0], "-")
		fmt.Fprintf(&edges, "    { name = %q },\n", name)
		fmt.Fprintf(&packages, "\n[[package]]\nname = %q\nversion = \"1.0\"\nsource = { registry = %q }\nwheels = [\n", name, index)
		for _, file := range names {
			fmt.Fprintf(&packages, "    { url = \"%s/%s\" },\n", wheels, file)
		}
		packages.WriteString("]\n")
	}
	text := "version = 1\nrequires-python = \">=3.9\"\n" + expandLock("@root virtual\n") + "dependencies = [\n" + edges.String() + "]\n" + packages.String()
	dir := t.TempDir()
	for file, text := range map[string]string{"uv.lock": text, "pyproject.toml": "[project]\nname = \"root\"\nversion = \"1.0\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := uv.installed(t, dir, target)
	if err != nil {
		t.Fatal(err)
	}
	selection, err := lockfile.Select(mustParse(t, text), target, lockfile.Request{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, p := range selection.Packages {
		got = append(got, p.Wheel.Filename.String())
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: uv - vpk +:\n%s", target, diff)
	}
	return len(got)
}

func mustFilenames(t *testing.T, names ...string) []tag.Filename {
	t.Helper()
	files := make([]tag.Filename, len(names))
	for i, name := range names {
		var err error
		if files[i], err = tag.ParseFilename(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
