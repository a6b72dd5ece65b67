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
	"pgregory.net/rapid"

	"vpk/internal/peer"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// project is a generated lock: a root and packages of an index, some in two versions, with edges among all of them.
type project struct {
	root      pkg
	conflicts []string // TOML
	packages  []pkg
	// cyclic tells that packages may depend on the root.
	cyclic bool
}

type pkg struct {
	name, version string
	ambiguous     bool
	edges         []edge
	extras        []part
	groups        []part
}

type part struct {
	name  string
	edges []edge
}

type edge struct {
	to     int // -1 is the root
	extras []string
	marker string
}

var (
	rootExtras = []string{"cpu", "gpu", "all"}
	rootGroups = []string{"dev", "docs", "ci"}
	pkgExtras  = []string{"x", "y"}
	// Markers that mean different things: uv takes two equal edges for a mistake.
	plainMarkers = []string{
		"", "", "", "python_full_version >= '3.12'", "python_full_version < '3.12'", "sys_platform == 'win32'",
		"platform_machine == 'x86_64'", "platform_machine != 'x86_64' and sys_platform == 'linux'",
		"(python_full_version < '3.11' and os_name == 'posix') or platform_machine == 'aarch64'",
	}
	conflictMarkers = []string{
		"extra == 'extra-4-root-cpu'", "extra != 'extra-4-root-cpu'", "extra == 'extra-4-root-gpu'",
		"extra == 'extra-4-root-cpu' or extra != 'extra-4-root-gpu'", "extra == 'group-4-root-docs'",
		"extra != 'group-4-root-docs' and python_full_version >= '3.12'", "extra == 'project-4-root'",
		"extra == 'extra-2-p0-x'", "extra != 'extra-2-p0-x'", "extra == 'extra-2-p1-y' and extra != 'extra-2-p0-x'",
	}
)

// projects generates locks. Which versions and extras there are is free; an edge names an extra that its target may lack.
var projects = rapid.Custom(func(t *rapid.T) project {
	var p project
	names := rapid.IntRange(1, 6).Draw(t, "names")
	for i := range names {
		name := fmt.Sprintf("p%d", i)
		versions := []string{"1.0", "2.0"}[:rapid.IntRange(1, 2).Draw(t, "versions")]
		for _, v := range versions {
			p.packages = append(p.packages, pkg{name: name, version: v, ambiguous: len(versions) > 1})
		}
	}
	markers := plainMarkers
	if rapid.Bool().Draw(t, "conflicts") {
		markers = slices.Concat(markers, conflictMarkers)
		p.conflicts = rapid.SampledFrom([][]string{
			{`{ package = "root", extra = "cpu" }`, `{ package = "root", extra = "gpu" }`},
			{`{ package = "root", extra = "cpu" }`, `{ package = "root", group = "docs" }`},
			{`{ package = "root", group = "ci" }`, `{ package = "root", group = "docs" }`},
			{`{ package = "root" }`, `{ package = "root", group = "docs" }`},
			{`{ package = "p0", extra = "x" }`, `{ package = "p1", extra = "y" }`, `{ package = "root", extra = "gpu" }`},
		}).Draw(t, "set")
	}
	edges := func(lowest, most int) []edge {
		var list []edge
		seen := map[string]bool{}
		for range rapid.IntRange(0, most).Draw(t, "edges") {
			e := edge{
				to:     rapid.IntRange(lowest, len(p.packages)-1).Draw(t, "to"),
				marker: rapid.SampledFrom(markers).Draw(t, "marker"),
			}
			extras := pkgExtras
			if e.to < 0 {
				extras = rootExtras
			}
			for _, extra := range extras {
				if rapid.IntRange(0, 3).Draw(t, "extra") == 0 {
					e.extras = append(e.extras, extra)
				}
			}
			if key := fmt.Sprint(e.to, e.extras, e.marker); !seen[key] {
				seen[key] = true
				list = append(list, e)
			}
		}
		return list
	}
	parts := func(names []string, lowest int) []part {
		var list []part
		for _, name := range names {
			if rapid.IntRange(0, 2).Draw(t, "part") > 0 {
				list = append(list, part{name, edges(lowest, 3)})
			}
		}
		return list
	}
	p.root = pkg{name: "root", version: "1.0", edges: edges(0, 4), extras: parts(rootExtras, 0), groups: parts(rootGroups, -1)}
	p.cyclic = rapid.Bool().Draw(t, "cyclic")
	for i := range p.packages {
		lowest := 0
		if p.cyclic {
			lowest = -1
		}
		p.packages[i].edges = edges(lowest, 3)
		p.packages[i].extras = parts(pkgExtras, 0)
	}
	return p
})

// toml writes the lock. With a source of chance the order of packages and edges is shuffled.
func (p project) toml(chance *rand.Rand) string {
	var out strings.Builder
	out.WriteString("version = 1\nrevision = 3\nrequires-python = \">=3.10\"\n")
	if p.conflicts != nil {
		fmt.Fprintf(&out, "conflicts = [[%s]]\n", strings.Join(p.conflicts, ", "))
	}
	order := make([]int, len(p.packages)+1)
	for i := range order {
		order[i] = i - 1
	}
	if chance != nil {
		chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, i := range order {
		k := p.at(i)
		if i < 0 {
			out.WriteString("\n@root virtual\n")
		} else {
			fmt.Fprintf(&out, "\n@%s %s\n", k.name, k.version)
		}
		fmt.Fprintf(&out, "dependencies = %s\n", p.edgeList(k.edges, chance))
		table := func(name string, parts []part) {
			if len(parts) > 0 {
				fmt.Fprintf(&out, "[package.%s]\n", name)
			}
			for _, part := range parts {
				fmt.Fprintf(&out, "%s = %s\n", part.name, p.edgeList(part.edges, chance))
			}
		}
		table("optional-dependencies", k.extras)
		table("dev-dependencies", k.groups)
		if i < 0 {
			out.WriteString("[package.metadata]\nprovides-extras = [\"cpu\", \"gpu\", \"all\"]\n" +
				"[package.metadata.requires-dev]\ndev = []\ndocs = []\nci = []\n")
		}
	}
	return expandLock(out.String())
}

func (p project) at(i int) pkg {
	if i < 0 {
		return p.root
	}
	return p.packages[i]
}

func (p project) edgeList(edges []edge, chance *rand.Rand) string {
	texts := make([]string, len(edges))
	for i, e := range edges {
		to := p.at(e.to)
		text := fmt.Sprintf("{ name = %q", to.name)
		if to.ambiguous {
			text += fmt.Sprintf(", version = %q, source = { registry = %q }", to.version, index)
		}
		if len(e.extras) > 0 {
			text += fmt.Sprintf(", extra = [\"%s\"]", strings.Join(e.extras, "\", \""))
		}
		if e.marker != "" {
			text += fmt.Sprintf(", marker = %q", e.marker)
		}
		texts[i] = text + " }"
	}
	if chance != nil {
		chance.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// flagSets are what is asked of each generated lock.
var flagSets = []string{
	"", "--extra cpu", "--extra gpu --dev", "--all-extras --no-extra cpu", "--group docs", "--only-group ci",
	"--only-group docs --only-group dev", "--all-groups --no-group docs", "--group ci --extra all --no-install-package p0",
}

// TestSelectGeneratedLikeUV compares selections from generated locks with uv's.
func TestSelectGeneratedLikeUV(t *testing.T) {
	uv := newOracle(t)
	count := 15
	if peer.InFull() {
		count = 400
	}
	manifest := []byte("[project]\nname = \"root\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\n" +
		"[dependency-groups]\ndev = []\ndocs = []\nci = []\n")
	project, err := pyproject.Read(manifest, "pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pyproject.toml"), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	selected, refused := 0, 0
	for seed := range count {
		text := projects.Example(seed).toml(nil)
		lock, err := lockfile.Parse([]byte(text), "uv.lock")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := os.WriteFile(filepath.Join(dir, "uv.lock"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			c := selectCase{
				target: testTarget([]string{"3.11", "3.13"}[seed%2], []tag.Arch{tag.X8664, tag.AArch64}[seed/2%2]),
				flags:  strings.Fields(flagSets[(seed*3+i)%len(flagSets)]),
			}
			if compareWithUV(t, uv, dir, lock, project, c) {
				selected++
			} else {
				refused++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, text)
		}
	}
	t.Logf("%d selections agree, %d are refused by both", selected, refused)
}

// TestSelectIsStable wants the same selection whatever the order of packages and edges in the file, and every dependency
// before its dependant unless they depend on one another.
func TestSelectIsStable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := projects.Draw(rt, "project")
		flags := strings.Fields(rapid.SampledFrom(flagSets).Draw(rt, "flags"))
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		r := request(t, flags, pyproject.DefaultGroups{})
		target := testTarget("3.12", tag.X8664)
		type row struct {
			Name       string
			Rank       int
			RequiredBy []string
		}
		selected := func(text string) (rows []row, digest string, failed bool) {
			lock, err := lockfile.Parse([]byte(text), "uv.lock")
			if err != nil {
				rt.Fatalf("%v\n%s", err, text)
			}
			s, err := lockfile.Select(lock, target, r)
			if err != nil {
				return nil, "", true
			}
			for _, p := range s.Packages {
				rows = append(rows, row{p.Package.String(), p.Rank, p.RequiredBy})
			}
			checkRanks(rt, s)
			if !p.cyclic && len(r.NoInstall) == 0 {
				checkOrder(rt, s)
			}
			return rows, s.Digest(), false
		}
		rows, digest, failed := selected(p.toml(nil))
		again, againDigest, againFailed := selected(p.toml(chance))
		// With conflicts, edges activate extras as they are met: there, as in uv, order may count.
		if p.conflicts != nil {
			return
		}
		if diff := cmp.Diff(rows, again); diff != "" || digest != againDigest || failed != againFailed {
			rt.Fatalf("another order gives another selection (failed %v, %v):\n%s", failed, againFailed, diff)
		}
	})
}
