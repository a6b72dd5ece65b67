package lockfile_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
	"vpk/lockfile"
)

// treeLine is a line of `uv tree`: branches, name, extras, version, and the extra or group that the dependency belongs to.
var treeLine = regexp.MustCompile(`^([│├└─ ]*)([^ \[]+)(?:\[([^\]]*)\])?(?: v(\S+))?( \((?:extra|group): [^)]*\))?(?: \(\*\))?$`)

// treeEdge is an edge as both tell it: "demo 1.0 -> uvicorn 0.46[standard] (group: dev)". What a workspace root that is no
// project requires has the dependant ".".
type treeEdge struct{ from, to, label string }

func (e treeEdge) String() string { return fmt.Sprintf("%s -> %s%s", e.from, e.to, e.label) }

// tree are the edges and packages of `uv tree` for a lock: of all members, their extras, and groups.
func (o *oracle) tree(t *testing.T, p *suiteProject, c selectCase, groups string) (edges []treeEdge, packages map[string]bool) {
	t.Helper()
	cmd := o.online(p.dir, "tree", "--frozen", groups, "--python", o.python(t, c.target.Python.String()),
		"--python-platform", fmt.Sprintf("%s-manylinux_2_%d", c.target.Arch, c.target.Glibc.Minor))
	packages = map[string]bool{}
	var path []string
	for line := range strings.Lines(peer.Output(t, cmd)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "(*)") {
			continue
		}
		m := treeLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("uv tree says %q", line)
		}
		depth := len([]rune(m[1])) / 4
		name := strings.TrimSpace(m[2] + " " + m[4])
		packages[name] = true
		path = append(path[:depth], name)
		label := m[5]
		if m[3] != "" {
			label = "[" + m[3] + "]" + label
		}
		switch {
		case depth > 0:
			edges = append(edges, treeEdge{path[depth-1], name, label})
		case m[5] != "":
			edges = append(edges, treeEdge{".", name, label})
		}
	}
	return edges, packages
}

// graph are the edges and packages of a selection.
func graph(s *lockfile.Selection) (edges []treeEdge, packages map[string]bool) {
	name := func(p *lockfile.Package) string { return strings.TrimSpace(p.Name + " " + p.Version.String()) }
	packages = map[string]bool{}
	for _, n := range s.Reached {
		if n.Package.Name != "." {
			packages[name(n.Package)] = true
		}
		for _, e := range n.Requires {
			label := ""
			if len(e.Extras) > 0 {
				label = "[" + strings.Join(e.Extras, ", ") + "]"
			}
			if e.Extra != "" {
				label += fmt.Sprintf(" (extra: %s)", e.Extra)
			}
			if e.Group != "" {
				label += fmt.Sprintf(" (group: %s)", e.Group)
			}
			edges = append(edges, treeEdge{name(n.Package), name(s.Reached[e.To].Package), label})
		}
	}
	return edges, packages
}

// withoutExtras leaves out the extras of roots, and what only they lead to.
func withoutExtras(edges []treeEdge, roots []*lockfile.Package) (kept []treeEdge, packages map[string]bool) {
	packages = map[string]bool{}
	queue := []string{"."}
	for _, root := range roots {
		name := strings.TrimSpace(root.Name + " " + root.Version.String())
		packages[name] = true
		queue = append(queue, name)
	}
	tops := len(queue)
	for i := 0; i < len(queue); i++ {
		for _, e := range edges {
			if e.from != queue[i] || i < tops && strings.Contains(e.label, "(extra: ") {
				continue
			}
			kept = append(kept, e)
			if !packages[e.to] {
				packages[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	return kept, packages
}

func edgeTexts(edges []treeEdge) []string {
	texts := []string{}
	for _, e := range edges {
		texts = append(texts, e.String())
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// TestReachedLikeUVTree compares what a selection came upon with `uv tree`, on the projects of testdata/suite; a fixed sample
// of them unless VPK_PROOF=1.
func TestReachedLikeUVTree(t *testing.T) {
	uv := newOracle(t)
	files, err := filepath.Glob("testdata/suite/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	server := newSuiteServer(t)
	compared, edges := 0, 0
	for i, file := range files {
		// Here an edge activates an extra that markers ask for. uv tree counts no extra as active and shows what is not installed.
		if filepath.Base(file) == "conflicting-member-extras.txtar" || !peer.InFull() && i%4 != 1 {
			continue
		}
		p := loadSuiteProject(t, server, uv, file)
		c := p.cases[0]
		r, groups := lockfile.Request{AllPackages: true, AllExtras: true, AllGroups: true}, "--all-groups"
		// Not everything can be asked for: uv shows extras that conflict side by side, and here there are none of them then.
		plain := len(p.lock.Conflicts) > 0 || len(p.project.UV.GroupPython) > 0
		if plain {
			r, groups = lockfile.Request{AllPackages: true}, "--no-default-groups"
		}
		for group := range p.project.DependencyGroups {
			r.RootGroups = append(r.RootGroups, group)
		}
		s, err := lockfile.Select(p.lock, c.target, r)
		if err != nil {
			t.Logf("not compared: %s: %v", p.name, err)
			continue
		}
		wantEdges, wantPackages := uv.tree(t, p, c, groups)
		gotEdges, gotPackages := graph(s)
		if plain {
			wantEdges, wantPackages = withoutExtras(wantEdges, s.Roots)
		}
		if diff := cmp.Diff(edgeTexts(wantEdges), edgeTexts(gotEdges)); diff != "" {
			t.Errorf("%s: edges, uv - vpk +:\n%s", p.name, diff)
		}
		if diff := cmp.Diff(wantPackages, gotPackages); diff != "" {
			t.Errorf("%s: packages, uv - vpk +:\n%s", p.name, diff)
		}
		compared++
		edges += len(wantEdges)
	}
	if want := 10; compared < want || peer.InFull() && compared < 4*want {
		t.Errorf("only %d projects were compared", compared)
	}
	t.Logf("%d projects, %d edges", compared, edges)
}
