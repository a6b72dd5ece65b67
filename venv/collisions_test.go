package venv

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// joined installs wheels, dependencies first, and writes the environment. It proves that the result is the same for
// every order in which the wheels come, and that what CPython reads of it holds.
func joined(t *testing.T, files []string) (collisions []Collision, env map[string]written) {
	t.Helper()
	p := newPair(t, files, false)
	s := p.spec()
	installed, parts, collisions, err := p.plan(s)
	if err != nil {
		t.Fatal(err)
	}
	skeleton := parts[0]
	for range len(installed) {
		installed = append(installed[1:], installed[0])
		again, same, err := Join(skeleton, installed, Report)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, summary(t, again[1:]), summary(t, parts[1:]))
		equal(t, same, collisions)
	}
	_, listed, err := Join(skeleton, installed, Refuse)
	equal(t, listed, collisions)
	if len(collisions) > 0 && fault.KindOf(err) != fault.Collision {
		t.Errorf("with Refuse: %v", err)
	}
	for _, c := range collisions {
		if !strings.Contains(err.Error(), c.String()) {
			t.Errorf("the error does not list %s", c)
		}
	}
	p.write(parts)
	distributions, faults := inspect(t, p.prefix)
	equal(t, faults, []string{})
	equal(t, len(distributions), len(files))
	return collisions, readDir(t, p.prefix)
}

// short is collisions without the environment's own path: "OWNER < LOSER PATH".
func short(collisions []Collision) []string {
	var lines []string
	for _, c := range collisions {
		_, p, _ := strings.Cut(c.Path, "/env/")
		lines = append(lines, c.Owner+" < "+c.Loser+" "+p)
	}
	return lines
}

// TestCollisionsOfDatabricks: three packages of one namespace. Two bring the same module for it, the third an empty one.
func TestCollisionsOfDatabricks(t *testing.T) {
	collisions, env := joined(t, peer.NativeWheels(t, "databricks-sdk==0.133.0", "databricks-sql-connector==4.5.0", "databricks-sqlalchemy==2.0.10"))
	var module string
	for p := range env {
		if strings.HasSuffix(p, "site-packages/databricks/__init__.py") {
			module = p
		}
	}
	equal(t, short(collisions), []string{
		"databricks-sqlalchemy 2.0.10 < databricks-sdk 0.133.0 " + module,
		"databricks-sqlalchemy 2.0.10 < databricks-sql-connector 4.5.0 " + module,
	})
	equal(t, env[module].content, "")
	var listing []string
	for p, f := range env {
		if strings.HasSuffix(p, ".dist-info/RECORD") && strings.Contains("\n"+f.content, "\ndatabricks/__init__.py,") {
			listing = append(listing, p[strings.LastIndex(p, "site-packages/")+len("site-packages/"):])
		}
	}
	equal(t, listing, []string{"databricks_sqlalchemy-2.0.10.dist-info/RECORD"})
}

// TestCollisionsOfANamespace is the same shape, and a fourth package that has what the owner has.
func TestCollisionsOfANamespace(t *testing.T) {
	const extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
	dir := t.TempDir()
	var files []string
	for _, b := range []*testwheel.Builder{
		testwheel.New("ns-a", "1").File("ns/__init__.py", extend).File("ns/a.py", ""),
		testwheel.New("ns-b", "1").File("ns/__init__.py", extend).File("ns/b.py", "").EntryPoint("ns", "ns.b:main"),
		testwheel.New("ns-c", "1").File("ns/__init__.py", "").File("ns/c.py", ""),
		testwheel.New("ns-d", "1").File("ns/__init__.py", "").File("ns/d.py", "").EntryPoint("ns", "ns.d:main").Data("data", "share/ns", ""),
	} {
		files = append(files, b.Write(t, dir))
	}
	collisions, env := joined(t, files)
	var site string
	for p := range env {
		if dir, ok := strings.CutSuffix(p, "ns/__init__.py"); ok {
			site = dir
		}
	}
	equal(t, short(collisions), []string{
		"ns-d 1 < ns-b 1 bin/ns", "ns-d 1 < ns-a 1 " + site + "ns/__init__.py", "ns-d 1 < ns-b 1 " + site + "ns/__init__.py",
	})
	for name, want := range map[string]bool{"ns_a": false, "ns_b": false, "ns_c": true, "ns_d": true} {
		record := "\n" + env[site+name+"-1.dist-info/RECORD"].content
		if got := strings.Contains(record, "\nns/__init__.py,"); got != want {
			t.Errorf("RECORD of %s lists the namespace's module: %t", name, got)
		}
		if got := strings.Contains(record, "bin/ns,"); got != (name == "ns_d") {
			t.Errorf("RECORD of %s lists the program: %t", name, got)
		}
	}
}

// TestCollisionsOfOpenCV: two builds of one library. What they share is large.
func TestCollisionsOfOpenCV(t *testing.T) {
	if !peer.InFull() {
		t.Skip("downloads 120 MB: VPK_PROOF=1")
	}
	collisions, env := joined(t, peer.NativeWheels(t, "opencv-python==4.11.0.86", "opencv-python-headless==4.11.0.86"))
	owners := map[string]int{}
	for _, c := range collisions {
		owners[c.Owner]++
	}
	equal(t, slices.Collect(maps.Keys(owners)), []string{"opencv-python-headless 4.11.0.86"})
	t.Logf("%d collisions, %d paths", len(collisions), len(env))
}
