package venv

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// uvFor makes commands of uv, which takes the environment at prefix for the active one and has neither network nor
// configuration.
func uvFor(t *testing.T, prefix string) func(args ...string) *exec.Cmd {
	t.Helper()
	uv, cache := peer.UV(t), t.TempDir()
	return func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), uv, args...)
		cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+cache, "UV_OFFLINE=1", "UV_NO_CONFIG=1", "UV_PYTHON_DOWNLOADS=never", "VIRTUAL_ENV="+prefix)
		return cmd
	}
}

// written is a path of an environment on disk: a mode and content, or a link's target.
type written struct {
	mode    fs.FileMode
	content string
}

// readDir reads a directory's files, links, and directories that have a file somewhere below.
func readDir(t *testing.T, dir string) map[string]written {
	t.Helper()
	found := map[string]written{}
	dirs := map[string]written{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, dir+"/"))
		info, err := d.Info()
		if err != nil {
			return err
		}
		var text []byte
		switch {
		case d.IsDir():
			dirs[rel] = written{mode: info.Mode()}
			return nil
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			found[rel] = written{fs.ModeSymlink, target}
			return err
		default:
			text, err = os.ReadFile(p)
		}
		found[rel] = written{info.Mode(), string(text)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Collect(maps.Keys(found)) {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			found[d] = dirs[d]
		}
	}
	return found
}

// leftOut are files of uv's environments that ours do not have, by their last elements.
var leftOut = []string{
	"CACHEDIR.TAG", ".gitignore", ".lock", "bin/activate", "bin/activate.bat", "bin/activate.csh", "bin/activate.fish", "bin/activate.nu",
	"bin/activate.ps1", "bin/activate_this.py", "bin/deactivate.bat", "bin/pydoc.bat", "site-packages/_virtualenv.py", "site-packages/_virtualenv.pth",
}

// asOurs applies the deliberate differences to an environment of uv's: the list of the package comment, nothing else.
func asOurs(t *testing.T, env map[string]written, s Spec) {
	t.Helper()
	for _, name := range leftOut {
		for p := range env {
			if p == name || strings.HasPrefix(name, "site-packages/") && strings.HasSuffix(p, "/"+name) {
				delete(env, p)
			}
		}
	}
	changed := map[string]row{}
	change := func(p, text string) {
		f := env[p]
		f.content = text
		env[p] = f
		r := newRow(relative(s.sitePackages(), p), tree.Bytes(text))
		changed[r.path] = r
	}
	// Files of the environment's own dist-info directories, not of those that packages vendor.
	isInfo := func(p, name string) bool {
		return path.Base(p) == name && path.Dir(path.Dir(p)) == s.sitePackages() && strings.HasSuffix(path.Dir(p), ".dist-info")
	}
	for p, f := range env {
		switch {
		case p == "pyvenv.cfg":
			var kept string
			for line := range strings.Lines(f.content) {
				if !strings.HasPrefix(line, "uv = ") && !strings.HasPrefix(line, "prompt = ") {
					kept += line
				}
			}
			change(p, kept)
		case isInfo(p, "INSTALLER"):
			change(p, "vpk")
		case isInfo(p, "uv_cache.json"):
			delete(env, p)
		case f.mode.IsRegular():
			if rest, ok := strings.CutPrefix(f.content, "#!"+s.Prefix+"/bin/python3\n"); ok {
				change(p, s.shebang()+rest)
			}
		}
	}
	for p, f := range env {
		if !isInfo(p, "RECORD") {
			continue
		}
		rows, err := parseRecord([]byte(f.content))
		if err != nil {
			t.Fatal(err)
		}
		// One row for each file that is there, the true one where there are two.
		last := map[string]row{}
		for _, r := range rows {
			if below, ok := strings.CutPrefix(r.path, "../../../lib64/"); ok {
				r.path = relative(s.sitePackages(), "lib/"+below)
			}
			at, ok := env[path.Join(s.sitePackages(), r.path)]
			if !ok {
				continue
			}
			if c, ok := changed[r.path]; ok {
				r = c
			}
			if _, twice := last[r.path]; !twice || r == newRow(r.path, tree.Bytes(at.content)) {
				last[r.path] = r
			}
		}
		f.content = string(formatRecord(slices.Collect(maps.Values(last))))
		env[p] = f
	}
}

// compareWithUV installs wheels with uv and with this package, at one prefix, and compares all that is on disk. The
// wheels are files; with direct they are named to uv as such, and have a direct_url.json.
func compareWithUV(t *testing.T, wheels []string, direct bool) {
	python := peer.Python(t)
	old := syscall.Umask(0o022)
	t.Cleanup(func() { syscall.Umask(old) })
	prefix := filepath.Join(t.TempDir(), "env")

	// uv's.
	var requirements, links []string
	var packages []Package
	for _, file := range wheels {
		w := open(t, file)
		p := Package{Name: w.Filename.NormalizedName(), Version: w.Filename.Version, Wheel: w}
		if direct {
			requirements = append(requirements, file)
			p.DirectURL = "file://" + file
		} else {
			requirements = append(requirements, p.Name+"=="+p.Version)
			links = append(links, "--find-links", filepath.Dir(file))
		}
		packages = append(packages, p)
	}
	uv := uvFor(t, prefix)
	peer.Output(t, uv("venv", "--quiet", "--python", python, prefix))
	peer.Output(t, uv(slices.Concat([]string{"pip", "install", "--quiet", "--no-deps", "--no-index", "--link-mode", "copy"}, links, requirements)...))
	want := readDir(t, prefix)
	if err := os.Rename(prefix, prefix+".uv"); err != nil {
		t.Fatal(err)
	}

	// Ours.
	version, err := tag.ParsePython(peer.PythonVersion(t, python))
	if err != nil {
		t.Fatal(err)
	}
	s := Spec{Prefix: prefix, Python: version, Interpreter: want["bin/python"].content}
	skeleton, err := Skeleton(s)
	if err != nil {
		t.Fatal(err)
	}
	var installed []Installed
	for _, p := range packages {
		in, err := Install(s, p)
		if err != nil {
			t.Fatal(err)
		}
		installed = append(installed, in)
	}
	parts, collisions, err := Join(skeleton, installed, Report)
	if err != nil || len(collisions) > 0 {
		t.Fatal(err, collisions)
	}
	if err := tree.WriteDir(context.Background(), tree.Tree{Parts: parts}, prefix, tree.WriteOptions{Base: prefix[1:]}); err != nil {
		t.Fatal(err)
	}
	got := readDir(t, prefix)

	asOurs(t, want, s)
	for _, p := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[p]
		w := want[p]
		switch {
		case !ok:
			t.Errorf("%s is missing", p)
		case g.mode != w.mode:
			t.Errorf("%s has mode %v, uv gives it %v", p, g.mode, w.mode)
		case g.content != w.content:
			equal(t, strings.Split(g.content, "\n"), strings.Split(w.content, "\n"))
			t.Errorf("%s differs", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[p]; !ok {
			t.Errorf("%s is not in uv's environment", p)
		}
	}
	t.Logf("compared %d paths of %d wheels", len(want), len(wheels))
}

// synthetic are wheels with everything that makes installing interesting.
func synthetic() []*testwheel.Builder {
	b := testwheel.New
	return []*testwheel.Builder{
		b("plain", "1.0").File("plain/__init__.py", "").Executable("plain/run.sh", "#!/bin/sh\n").Symlink("plain/link", "run.sh"),
		b("No.Normal_Name", "1.0.post1").File("nn.py", "x").Data("headers", "sub/nn.h", "h").Data("headers", "top.h", "h"),
		b("entry", "1").File("entry.py", "").EntryPoint("entry-a", "entry:main").EntryPoint("entry b", "entry.sub : App.run [x, y]").
			GUIEntryPoint("entry-gui", "entry:gui").GUIEntryPoint("entry-a", "entry:gui_wins").EntryPoint("größe", "entry:größe"),
		b("inidialect", "1").DistInfo("entry_points.txt",
			"# c\n[other]\nx\n  [console_scripts]  \n ini-a : m:f ; c\nini-b=m:f#c\nini-a = m:second\n[x]\n[console_scripts]\r\nini-c = m:f\r\n"),
		b("byteorder", "1").DistInfo("entry_points.txt", "\ufeff[console_scripts]\nhidden = m:f\n"),
		b("pip3like", "1").EntryPoint("pip3", "p:a").EntryPoint("pip3.7", "p:b").EntryPoint("pip3.x", "p:c"),
		b("datascripts", "1").Data("scripts", "ds-plain", "#!python\nx\n").Data("scripts", "ds-args", "#!python -E\nx\n").
			Data("scripts", "ds-crlf", "#!python\r\nx\r\n").Data("scripts", "ds-gui", "#!pythonw\nx").Data("scripts", "ds-noend", "#!python").
			Data("scripts", "ds-env", "#!/usr/bin/env python\nx").Data("scripts", "ds-elf", "\x7fELF\x00").Data("scripts", "ds-empty", ""),
		b("replacedscripts", "1").EntryPoint("rs-a", "m:f").GUIEntryPoint("rs-g", "m:g").Data("scripts", "rs-a", "#!python\n").
			Data("scripts", "rs-a.exe", "old").Data("scripts", "rs-g-script.py", "old").Data("scripts", "rs-a.pya", "old").Data("scripts", "rs-a.py", "kept"),
		b("dataplaces", "1").Data("data", "etc/dp/conf", "c").Data("data", "share/a,b \"c\".txt", "q").Data("data", "bin/dp-tool", "tool").
			Data("purelib", "dp_pure.py", "p").Data("platlib", "dp_plat/m.py", "p").Data("data", "lib64/python3/readme", "l"),
		b("quotes", "1").File("quotes/weird name,\"q\".txt", "x").File("quotes/ lead.txt", "x").File("quotes/größe.txt", "x"),
		b("ns-one", "1").File("ns/one/__init__.py", "1"),
		b("ns-two", "1").File("ns/two/__init__.py", "2"),
		b("shared-a", "1").File("shared/__init__.py", "same"),
		b("shared-b", "1").File("shared/__init__.py", "same"),
		b("shipscode", "1").File("sc.py", "").File("__pycache__/sc.cpython-311.pyc", "not really"),
		b("heals", "1").File("heals/a.py", "a").File("heals/b.py", "bb").File("heals/c.py", "c").DistInfo("RECORD.jws", "{}").DistInfo("RECORD.p7s", "x").
			DistInfo("RECORD", "./heals/a.py,sha256=wrong,99\n/heals/b.py,,\nheals/b.py,sha256=second,1\ngone.py,sha256=x,1\nheals-1.dist-info/METADATA,md5=x,5\n"),
		b("fulltrue", "1").File("ft.py", "x").DistInfo("RECORD", "fulltrue-1.dist-info/RECORD,sha256=odd,7\r\nfulltrue-1.dist-info/METADATA,,\r\n"),
		b("brings", "1").DistInfo("INSTALLER", "pip\n").DistInfo("REQUESTED", "no").DistInfo("top_level.txt", "brings\n"),
		b("otherinfo", "1").Without("METADATA").Without("WHEEL").NoRecord().File("renamed-9.dist-info/METADATA", "Name: OtherInfo\nVersion: 1.0.0\n").
			File("renamed-9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: maybe\n").File("renamed-9.dist-info/RECORD", "").
			File("otherinfo-1.data/scripts/stays", "#!python\n").Data("data", "x", "stays too").File("renamed-9.data/scripts/moves", "#!python\n"),
		b("localver", "1.0+cpu").DistInfo("METADATA", "Metadata-Version: 2.1\nName: localver\nVersion: 1.0\n"),
		b("oldwheel", "1").DistInfo("WHEEL", "Wheel-Version: 1.9\nWheel-Version: 3.0\nRoot-Is-Purelib: false\n"),
		b("emptyscripts", "1").DistInfo("entry_points.txt", ""),
	}
}

func TestUVSynthetic(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, b := range synthetic() {
		files = append(files, b.Write(t, dir))
	}
	compareWithUV(t, files, false)
}

func TestUVDirect(t *testing.T) {
	dir := t.TempDir()
	compareWithUV(t, []string{testwheel.New("direct", "1").File("d.py", "").Write(t, dir)}, true)
}

// TestUVRefusesToo: what is refused here for more than taste, uv refuses as well.
func TestUVRefusesToo(t *testing.T) {
	python := peer.Python(t)
	prefix := filepath.Join(t.TempDir(), "env")
	uv := uvFor(t, prefix)
	peer.Output(t, uv("venv", "--quiet", "--python", python, prefix))
	for name, b := range map[string]*testwheel.Builder{
		"no RECORD":           testwheel.New("a", "1").NoRecord(),
		"RECORD fields":       testwheel.New("a", "1").DistInfo("RECORD", "a,b\n"),
		"other name":          testwheel.New("a", "1").DistInfo("METADATA", "Metadata-Version: 2.1\nName: b\nVersion: 1\n"),
		"other version":       testwheel.New("a", "1").DistInfo("METADATA", "Metadata-Version: 2.1\nName: a\nVersion: 2\n"),
		"wheel version":       testwheel.New("a", "1").DistInfo("WHEEL", "Wheel-Version: 2.0\n"),
		"reserved entry":      testwheel.New("a", "1").EntryPoint("python3.12", "a:b"),
		"script subdirectory": testwheel.New("a", "1").Data("scripts", "x/y", ""),
		"unknown data":        testwheel.New("a", "1").Data("include", "x", ""),
		"entry value":         testwheel.New("a", "1").EntryPoint("x", "a"),
		"entry without value": testwheel.New("a", "1").DistInfo("entry_points.txt", "[console_scripts]\nx\n"),
		"entry continuation":  testwheel.New("a", "1").DistInfo("entry_points.txt", "[console_scripts]\nx =\n  m:f\n"),
		"open section":        testwheel.New("a", "1").DistInfo("entry_points.txt", "[console_scripts\n"),
		"no key":              testwheel.New("a", "1").DistInfo("entry_points.txt", "[console_scripts]\n= m:f\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := uv("pip", "install", "--quiet", "--no-deps", "--no-index", b.Write(t, t.TempDir())).Run(); err == nil {
				t.Error("uv installs it")
			}
			if _, err := Install(spec, pack(t, b)); err == nil {
				t.Error("we install it")
			}
		})
	}
}

// TestUVInstallsAGoodOne: what uv refuses above, it refuses for what is wrong with it.
func TestUVInstallsAGoodOne(t *testing.T) {
	compareWithUV(t, []string{testwheel.New("a", "1").Write(t, t.TempDir())}, false)
}

// oddities are real packages, each here for a reason.
var oddities = []string{
	"ruff",           // a program in .data/scripts
	"jupyter-core",   // entry points, a module beside the package
	"greenlet",       // headers
	"zope.interface", // a namespace, its dots, compiled
	"cryptography",   // abi3
	"pip",            // pip3.N
	"setuptools",     // a .pth, vendored dist-infos
	"certifi", "PyYAML", "ujson", "uvloop", "watchfiles", "protobuf",
	"backports.tarfile", // a shared namespace
	"notebook",          // .data/data
	"pywin32-ctypes",    // of another system, pure
}

func TestUVOddities(t *testing.T) {
	compareWithUV(t, peer.NativeWheels(t, oddities...), false)
}
