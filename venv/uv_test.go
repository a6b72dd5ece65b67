package venv

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

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
		b("modes", "1").Member(testwheel.Member{Name: "modes/400", Mode: 0o400}).Member(testwheel.Member{Name: "modes/777", Mode: 0o777}).
			Member(testwheel.Member{Name: "modes/601", Mode: 0o601}).Member(testwheel.Member{Name: "modes/setuid", Mode: fs.ModeSetuid | 0o710}).
			Member(testwheel.Member{Name: "modes/none", Central: func(h *testwheel.Header) { h.External = 0 }}),
		b("replaces", "1").File("replaces.py", "site").Data("purelib", "replaces.py", "purelib").EntryPoint("rp-tool", "m:f").Data("data", "bin/rp-tool", "data"),
		b("intoinfo", "1").Data("platlib", "intoinfo-1.dist-info/extra.json", "{}").Data("data", "share/intoinfo-1.dist-info/RECORD", "not it"),
		b("shipsurl", "1").DistInfo("direct_url.json", `{"url":"file:///elsewhere"}`),
		b("built", "1").Build("3abc").File("large.bin", strings.Repeat("0123456789abcdef", 40_000)).File("large.py", "#!python\n"),
		b("signed", "1").DistInfo("RECORD.p7s", "x").File("signed/RECORD", "a,b,c\n").File("signed/vendor-1.dist-info/INSTALLER", "pip"),
	}
}

func TestUVSynthetic(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, b := range synthetic() {
		files = append(files, b.Write(t, dir))
	}
	_, faults := compareWithUV(t, files, false)
	// What the wheel heals says of its files, wrongly, is kept.
	equal(t, faults, []string{
		"heals: lib/python3.11/site-packages/heals-1.dist-info/METADATA: size is not 5",
		"heals: lib/python3.11/site-packages/heals/a.py: size is not 99",
	})
}

func TestUVDirect(t *testing.T) {
	dir := t.TempDir()
	compareWithUV(t, []string{
		testwheel.New("direct", "1").File("d.py", "").Write(t, dir), testwheel.New("local", "1.0+cpu").DistInfo("direct_url.json", "{}").Write(t, dir),
	}, true)
}

// TestUVDirectFromServer: what of a URL is in direct_url.json.
func TestUVDirectFromServer(t *testing.T) {
	b := testwheel.New("direct", "1.0+cpu").File("d.py", "")
	server := testwheel.NewServer(t)
	url := server.AddWheel(b)
	for name, suffix := range map[string]string{
		"plain": "", "query": "?token=a&b=%20%3Cc%3E", "hash": "#sha256=" + b.SHA256(), "fragment": "#egg=direct",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, []string{b.Write(t, t.TempDir())}, false)
			p.wheels[0].DirectURL = url + suffix
			if err := p.installByUV(nil); err != nil {
				t.Fatal(err)
			}
			s := p.spec()
			_, parts, _, err := p.plan(s)
			if err != nil {
				t.Fatal(err)
			}
			p.write(parts)
			p.compare(s)
		})
	}
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
		"two dist-infos":      testwheel.New("a", "1").File("b-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: b\nVersion: 1\n"),
		"no METADATA":         testwheel.New("a", "1").Without("METADATA"),
		"no WHEEL":            testwheel.New("a", "1").Without("WHEEL"),
		"no version":          testwheel.New("a", "1").DistInfo("METADATA", "Metadata-Version: 2.1\nName: a\n"),
		"entry in a folder":   testwheel.New("a", "1").EntryPoint("sub/x", "a:b"),
		"data file":           testwheel.New("a", "1").File("a-1.data/file", ""),
		"RECORD of latin-1":   testwheel.New("a", "1").DistInfo("RECORD", "caf\xe9,,\n"),
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
