package venv

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
	"vpk/wheel"
	"vpk/wheel/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var spec = Spec{Prefix: "/app/.venv", Python: tag.Python{Major: 3, Minor: 11, Full: "3.11.2"}, Interpreter: "/usr/bin/python3.11"}

// open gives a wheel file as the store does.
func open(t testing.TB, file string) *wheel.Wheel {
	t.Helper()
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	name, err := tag.ParseFilename(filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	w, err := wheel.NewStore(cache, nil, wheel.Options{}).Fetch(context.Background(), wheel.Ref{Filename: name, Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func pack(t testing.TB, b *testwheel.Builder) Package {
	t.Helper()
	w := open(t, b.Write(t, t.TempDir()))
	return Package{Name: w.Filename.NormalizedName(), Version: w.Filename.Version, Wheel: w}
}

func install(t testing.TB, b *testwheel.Builder) Installed {
	t.Helper()
	in, err := Install(spec, pack(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Part.Check(); err != nil {
		t.Error(err)
	}
	return in
}

func content(t testing.TB, e tree.Entry) string {
	t.Helper()
	r, err := e.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// golden prints a part, paths below the prefix: "== 644 bin/x", then the content or the target.
func golden(t testing.TB, p tree.Part) string {
	var b strings.Builder
	for _, e := range p.Entries {
		fmt.Fprintf(&b, "== %o %s\n", e.Mode, strings.TrimPrefix(e.Path, "app/.venv/"))
		if e.Kind == tree.Link {
			b.WriteString("-> " + e.Target + "\n")
			continue
		}
		if text := content(t, e); text != "" {
			b.WriteString(strings.TrimSuffix(text, "\n") + "\n")
		}
	}
	return b.String()
}

func TestInstall(t *testing.T) {
	in := install(t, testwheel.New("My_Pkg", "1.0").
		File("my_pkg/__init__.py", "").
		Executable("my_pkg/tool.sh", "#!/bin/sh\n").
		File("my_pkg/a,b.txt", "x").
		Data("data", "etc/my.conf", "conf").
		Data("data", "lib64/python3.11/site-packages/through.py", "t").
		Data("data", "lib/python3.11/site-packages/merged.py", "m").
		Data("headers", "my.h", "h").
		Data("purelib", "pure.py", "p").
		Data("platlib", "plat.py", "l").
		Data("scripts", "run", "#!python -E\nprint()\n").
		Data("scripts", "cmd.exe", "old launcher").
		EntryPoint("cmd", "my_pkg:main"))
	equal(t, in.Name, "my-pkg")
	equal(t, in.Part.Name, "wheel/my-pkg-1.0")
	equal(t, in.Bytecode, tree.Part{})
	equal(t, golden(t, in.Part), `== 755 bin/cmd
#!/app/.venv/bin/python
# -*- coding: utf-8 -*-
import sys
from my_pkg import main
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit(main())
== 755 bin/run
#!/app/.venv/bin/python
print()
== 644 etc/my.conf
conf
== 644 include/site/python3.11/my-pkg/my.h
h
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/INSTALLER
vpk
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/METADATA
Metadata-Version: 2.1
Name: My_Pkg
Version: 1.0
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/RECORD
../../../bin/cmd,sha256=TEFZ5NRFOt7_QuJFJL4ypQCGJ7Bol3KgXHPgiTNrQyc,293
../../../bin/run,sha256=V9qSMxkGrEGSKnLqlfDqkHlhx8FRHUPipj-ls34gcBs,32
../../../etc/my.conf,sha256=DDJsTwJ5ewiPxWbmT7_iFiOQ9S8v7BSD7DpBOn8RyRA,4
../../../include/site/python3.11/my-pkg/my.h,sha256=qqlAJmTxpB9A67xSyZk-tmrrNmYClY_fqig7ceZNsSM,1
My_Pkg-1.0.dist-info/INSTALLER,sha256=8zJjqbuCKv_PL4UXgFM0Td4K3gJ4WAy7Tjkqu_VD1Ak,3
My_Pkg-1.0.dist-info/METADATA,sha256=OVhNTMFxz34W_fnQNtM_W2qMqr_hiA6ObTXT1iBI6Tg,48
My_Pkg-1.0.dist-info/RECORD,,
My_Pkg-1.0.dist-info/REQUESTED,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0
My_Pkg-1.0.dist-info/WHEEL,sha256=RZeGfkGbY1QqG7taN3KRH58a_9QEAy1yBlZ9sKmy3gg,80
My_Pkg-1.0.dist-info/entry_points.txt,sha256=hi4XoLMLWS_y_-jr1jfwDEsV91FrKaG8g99V8W3uJE4,36
merged.py,sha256=YsZqel3XDDFGYYBjw0TlMebUtZ43mAhEPOlis6vWPFo,1
my_pkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0
"my_pkg/a,b.txt",sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1
my_pkg/tool.sh,sha256=qAdtPSjSHgIBKyDq99v3VAmmJ3E0Q5Al8oLjaOMwWr8,10
plat.py,sha256=rKyGwOYJypBvYysOLazMsrd9IrBiHyDr7OGkg1uT9vA,1
pure.py,sha256=FI3pxaekTRnlbNmuGlVL9nhHr7DFj24S-imsfd_KmUA,1
through.py,sha256=47mKTaMaEn1L3m5DAz9muidMqw636xxw7EFAK_YnPdg,1
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/REQUESTED
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/WHEEL
Wheel-Version: 1.0
Generator: testwheel
Root-Is-Purelib: true
Tag: py3-none-any
== 644 lib/python3.11/site-packages/My_Pkg-1.0.dist-info/entry_points.txt
[console_scripts]
cmd = my_pkg:main
== 644 lib/python3.11/site-packages/merged.py
m
== 644 lib/python3.11/site-packages/my_pkg/__init__.py
== 644 lib/python3.11/site-packages/my_pkg/a,b.txt
x
== 755 lib/python3.11/site-packages/my_pkg/tool.sh
#!/bin/sh
== 644 lib/python3.11/site-packages/plat.py
l
== 644 lib/python3.11/site-packages/pure.py
p
== 644 lib/python3.11/site-packages/through.py
t
`)
}

// recordOf gives the rows of a part's RECORD.
func recordOf(t testing.TB, p tree.Part) []row {
	t.Helper()
	for _, e := range p.Entries {
		if strings.HasSuffix(e.Path, ".dist-info/RECORD") {
			rows, err := parseRecord([]byte(content(t, e)))
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
	}
	t.Fatal("there is no RECORD")
	return nil
}

// TestInstallRecordIsTrue holds the generated RECORD against the files, for a wheel whose own RECORD is true.
func TestInstallRecordIsTrue(t *testing.T) {
	in := install(t, testwheel.New("a", "1").File("a.py", "a").Data("scripts", "s", "#!pythonw\r\nx").Data("data", "d", "d").EntryPoint("e", "a:e"))
	want := map[string]row{}
	for _, e := range in.Part.Entries {
		p := relative(spec.sitePackages(), strings.TrimPrefix(e.Path, "app/.venv/"))
		want[p] = newRow(p, tree.Bytes(content(t, e)))
	}
	want["a-1.dist-info/RECORD"] = row{"a-1.dist-info/RECORD", "", -1}
	got := map[string]row{}
	for _, r := range recordOf(t, in.Part) {
		got[r.path] = r
	}
	equal(t, got, want)
}

func TestInstallHealsRecord(t *testing.T) {
	record := "/a.py,md5=abc,7\n./b.py,,\nb.py,sha256=second,1\ngone.py,sha256=x,1\na-1.dist-info/METADATA,sha256=wrong,5\n"
	in := install(t, testwheel.New("a", "1").File("a.py", "a").File("b.py", "b").File("c.py", "ccc").
		DistInfo("RECORD.jws", "{}").DistInfo("INSTALLER", "pip\n").DistInfo("RECORD", record))
	equal(t, recordOf(t, in.Part), []row{
		{"a-1.dist-info/INSTALLER", newRow("", tree.Bytes("vpk")).hash, 3},
		{"a-1.dist-info/METADATA", "sha256=wrong", 5},
		{"a-1.dist-info/RECORD", "", -1},
		{"a-1.dist-info/REQUESTED", newRow("", tree.Bytes("")).hash, 0},
		{"a-1.dist-info/WHEEL", "", 80},
		{"a.py", "md5=abc", 7},
		{"b.py", "", -1},
		{"c.py", "", 3},
	})
}

func TestDataScripts(t *testing.T) {
	const ours = "#!/app/.venv/bin/python\n"
	for name, c := range map[string]struct{ script, want string }{
		"plain":          {"#!python\nx\n", ours + "x\n"},
		"arguments":      {"#!python -E -s\nx\n", ours + "x\n"},
		"CRLF":           {"#!python\r\nx\r\n", ours + "\nx\r\n"},
		"CR":             {"#!python\rx\n", ours + "x\n"},
		"gui":            {"#!pythonw\nx", ours + "x"},
		"versioned":      {"#!python3.9\nx", ours + "x"},
		"no line end":    {"#!python", ours},
		"env":            {"#!/usr/bin/env python\nx", "#!/usr/bin/env python\nx"},
		"space":          {"#! python\nx", "#! python\nx"},
		"binary":         {"\x7fELF\x00#!python\n", "\x7fELF\x00#!python\n"},
		"short":          {"#!p", "#!p"},
		"empty":          {"", ""},
		"byte order":     {"\ufeff#!python\n", "\ufeff#!python\n"},
		"not first line": {"\n#!python\n", "\n#!python\n"},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t, testwheel.New("a", "1").Data("scripts", "s", c.script))
			e := in.entry("app/.venv/bin/s")
			equal(t, e.Mode, tree.FileMode(true))
			equal(t, content(t, e), c.want)
			if _, ok := e.Content.(wheel.Member); ok != (c.script == c.want) {
				t.Errorf("content is a %T", e.Content)
			}
		})
	}
}

// TestInstallKeepsContent: what is not rewritten stays the wheel's, so that it is never read for planning.
func TestInstallKeepsContent(t *testing.T) {
	in := install(t, testwheel.New("a", "1").File("a.py", "a").Data("data", "d", "d").Data("scripts", "s", "s").EntryPoint("e", "a:e"))
	var generated []string
	for _, e := range in.Part.Entries {
		if _, ok := e.Content.(wheel.Member); !ok {
			generated = append(generated, filepath.Base(e.Path))
		}
	}
	equal(t, generated, []string{"e", "INSTALLER", "RECORD", "REQUESTED"})
}

// TestInstallLastWins: within a wheel a later step replaces what an earlier one placed, and RECORD has one row.
func TestInstallLastWins(t *testing.T) {
	in := install(t, testwheel.New("a", "1").File("m.py", "root").
		Data("purelib", "m.py", "purelib").Data("platlib", "m.py", "platlib").Data("data", "bin/e", "data").EntryPoint("e", "a:e"))
	equal(t, content(t, in.entry("app/.venv/lib/python3.11/site-packages/m.py")), "purelib")
	equal(t, content(t, in.entry("app/.venv/bin/e")), "data")
	n := 0
	for _, r := range recordOf(t, in.Part) {
		if r.path == "m.py" || r.path == "../../../bin/e" {
			n++
		}
	}
	equal(t, n, 2)
}

func TestInstallRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *testwheel.Builder
		want string
	}{
		{"no dist-info", testwheel.New("a", "1").Without("METADATA").Without("WHEEL").NoRecord().File("a.py", ""),
			"it must have one .dist-info directory, it has []"},
		{"two dist-infos", testwheel.New("a", "1").File("b-1.dist-info/METADATA", ""), "it must have one .dist-info directory, it has [\"a-1.dist-info\" \"b-1.dist-info\"]"},
		{"missing files", testwheel.New("a", "1").Without("METADATA").NoRecord().File("a.py", ""),
			"there is no a-1.dist-info/METADATA; there is no a-1.dist-info/RECORD"},
		{"all metadata", testwheel.New("a", "1").DistInfo("METADATA", "Name: b\nVersion: 1\n").DistInfo("WHEEL", "Wheel-Version: 2.0\n").
			DistInfo("RECORD", "x\n").DistInfo("entry_points.txt", "[console_scripts]\na = b\n"),
			`a-1.dist-info/METADATA: its Name is "b", the file name says "a"; a-1.dist-info/RECORD: line 1: 1 fields, want path, hash and size; ` +
				`a-1.dist-info/WHEEL: its Wheel-Version is "2.0", only 1.x is supported; a-1.dist-info/entry_points.txt: script "a" is "b", want MODULE:FUNCTION`},
		{"version", testwheel.New("a", "1").DistInfo("METADATA", "Name: a\nVersion: 2\n"), `a-1.dist-info/METADATA: its Version is "2", the file name says "1"`},
		{"reserved entry point", testwheel.New("a", "1").EntryPoint("python", "a:b"), `a-1.dist-info/entry_points.txt: script name "python" is reserved for the interpreter`},
		{"entry point that escapes", testwheel.New("a", "1").EntryPoint("../../etc/x", "a:b"), `a-1.dist-info/entry_points.txt: script name "../../etc/x" is a path`},
		{"scripts", testwheel.New("a", "1").Data("scripts", "sub/x", "").Data("scripts", "python3.12", ""),
			`"a-1.data/scripts/python3.12": script name "python3.12" is reserved for the interpreter; "a-1.data/scripts/sub/x": script name "sub/x" is a path`},
		{"unknown data", testwheel.New("a", "1").Data("include", "x", "").File("a-1.data/file", ""),
			`"a-1.data/file" is of a kind that .data cannot have: data, headers, platlib, purelib or scripts; ` +
				`"a-1.data/include/x" is of a kind that .data cannot have: data, headers, platlib, purelib or scripts`},
		{"the environment's own files", testwheel.New("a", "1").Data("data", "pyvenv.cfg", "").Data("data", "bin/python3.11", "").Data("data", "lib64", "").
			Data("data", "bin/python/x", ""),
			`"bin/python/x" would replace a part of the environment itself; "bin/python3.11" would replace a part of the environment itself; ` +
				`"lib64" would replace a part of the environment itself; "pyvenv.cfg" would replace a part of the environment itself`},
		{"bin as a file", testwheel.New("a", "1").Data("data", "bin", ""), `"bin" would replace a part of the environment itself`},
		{"file and directory", testwheel.New("a", "1").File("m/x.py", "").File("m/y.py", "").Data("purelib", "m", ""),
			`"lib/python3.11/site-packages/m" is both a file and a directory`},
		{"lib as a file", testwheel.New("a", "1").Data("data", "lib", ""), `"lib" is both a file and a directory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Install(spec, pack(t, c.b))
			if fault.KindOf(err) != fault.Package || len(fault.Hints(err)) == 0 {
				t.Fatalf("error = %v, kind %v", err, fault.KindOf(err))
			}
			equal(t, err.Error(), "install "+c.b.Filename()+": "+c.want)
		})
	}
}

func TestInstallOtherPackage(t *testing.T) {
	p := pack(t, testwheel.New("a", "1"))
	p.Name = "b"
	_, err := Install(spec, p)
	equal(t, fmt.Sprint(err), `install a-1-py3-none-any.whl: it is a wheel of "a", not of "b"`)
}

func TestInstallDamagedMember(t *testing.T) {
	p := pack(t, testwheel.New("a", "1").Data("scripts", "s", "#!python\n"))
	if err := p.Wheel.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(spec, p); err == nil || !strings.Contains(err.Error(), "a-1-py3-none-any.whl") {
		t.Errorf("a closed wheel: %v", err)
	}
}

func TestModulesAreInSitePackages(t *testing.T) {
	in := install(t, testwheel.New("a", "1").File("m.py", "").Data("purelib", "n.py", "").Data("scripts", "run.py", "#!python\n").Data("data", "share/x.py", ""))
	var got []string
	for _, e := range in.Modules().Entries {
		if strings.HasSuffix(e.Path, ".py") {
			got = append(got, e.Path)
		}
	}
	equal(t, got, []string{spec.SitePackages() + "/m.py", spec.SitePackages() + "/n.py"})
	if key := in.Modules().Key; key == in.Part.Key || key == "" {
		t.Errorf("key %q of a part with key %q", key, in.Part.Key)
	}
}

func TestDirectURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://index.example/a-1-py3-none-any.whl":            `{"url":"https://index.example/a-1-py3-none-any.whl","archive_info":{}}`,
		"https://user:secret@index.example/a.whl?a=1&b=%3C#x=y": `{"url":"https://index.example/a.whl?a=1&b=%3C","archive_info":{}}`,
		"file:///srv/a.whl": `{"url":"file:///srv/a.whl","archive_info":{}}`,
	} {
		p := pack(t, testwheel.New("a", "1"))
		p.DirectURL = in
		got, err := Install(spec, p)
		if err != nil {
			t.Fatal(err)
		}
		e := got.entry("app/.venv/lib/python3.11/site-packages/a-1.dist-info/direct_url.json")
		equal(t, content(t, e), want)
		rows := recordOf(t, got.Part)
		equal(t, rows[len(rows)-1], newRow("a-1.dist-info/direct_url.json", e.Content))
	}
	p := pack(t, testwheel.New("a", "1"))
	p.DirectURL = "user:secret@"
	if _, err := Install(spec, p); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v", err)
	}
}

func TestInstallKey(t *testing.T) {
	p := pack(t, testwheel.New("a", "1"))
	other := pack(t, testwheel.New("a", "1").File("x", ""))
	key := func(change func(*Spec, *Package)) string {
		s, p := spec, p
		change(&s, &p)
		in, err := Install(s, p)
		if err != nil {
			t.Fatal(err)
		}
		return in.Part.Key
	}
	base := key(func(s *Spec, p *Package) {})
	equal(t, key(func(s *Spec, p *Package) { s.Interpreter, s.Python.Full = "/usr/local/bin/python3", "3.11.9" }), base)
	seen := map[string]bool{base: true}
	for i, change := range []func(*Spec, *Package){
		func(s *Spec, p *Package) { s.Prefix = "/app/venv" },
		func(s *Spec, p *Package) { s.Python.Minor = 12 },
		func(s *Spec, p *Package) { p.Wheel = other.Wheel },
		func(s *Spec, p *Package) { p.DirectURL = "https://index.example/a.whl" },
		func(s *Spec, p *Package) { p.Version = "1.0" },
	} {
		k := key(change)
		if seen[k] {
			t.Errorf("change %d gives a known key", i)
		}
		seen[k] = true
	}
}

func TestInstallOtherPrefix(t *testing.T) {
	s := Spec{Prefix: "/home/me/env", Python: tag.Python{Major: 3, Minor: 13}, Interpreter: "/usr/bin/python3"}
	in, err := Install(s, pack(t, testwheel.New("a", "1").File("a.py", "a").EntryPoint("e", "a:e")))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, in.entry("home/me/env/lib/python3.13/site-packages/a.py").Path, "home/me/env/lib/python3.13/site-packages/a.py")
	if text := content(t, in.entry("home/me/env/bin/e")); !strings.HasPrefix(text, "#!/home/me/env/bin/python\n") {
		t.Errorf("script is %q", text)
	}
}
