package base

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/layer/base/basetest"
	"vpk/wheel/tag"
)

var (
	bookworm = tag.Target{Python: tag.Python{Major: 3, Minor: 11, Full: "3.11.2"}, Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 36}}
	trixie   = tag.Target{Python: tag.Python{Major: 3, Minor: 13, Full: "3.13.5"}, Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 41}}
)

func TestFacts(t *testing.T) {
	config, list := basetest.Python(bookworm)
	got, err := findFacts(filesOf(t, list), &config)
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		Target: bookworm, Interpreter: "/usr/bin/python3.11", Loader: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
		LibraryDirs: []string{"/lib/x86_64-linux-gnu", "/lib64", "/lib", "/usr/lib"}, Stdlib: "/usr/lib/python3.11",
		Loaded: []string{
			"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/usr/bin/python3.11",
			"/usr/lib/python3.11/json/__init__.py", "/usr/lib/python3.11/lib-dynload/_json.so", "/usr/lib/python3.11/os.py",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFactsOfMergedUsr(t *testing.T) {
	config, list := basetest.MergedPython(trixie)
	list = append(list, basetest.File{Name: "usr/lib/python3.13/__pycache__/os.cpython-313.pyc"}, basetest.File{Name: "usr/lib/python3.13/dist-packages/x.py"})
	got, err := findFacts(filesOf(t, list), &config)
	if err != nil {
		t.Fatal(err)
	}
	if got.Target != trixie || got.Loader != "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1" || !got.StdlibCompiled {
		t.Errorf("got %+v", got)
	}
	if slices.Contains(got.Loaded, "/usr/lib/python3.13/dist-packages/x.py") || !slices.Contains(got.Loaded, "/usr/lib/python3.13/__pycache__/os.cpython-313.pyc") {
		t.Errorf("loaded: %q", got.Loaded)
	}
}

// program is a CPython on glibc with its standard library, at a path of its own.
func program(path, version string) []basetest.File {
	minor := version[:strings.LastIndexByte(version, '.')]
	dir := path[:strings.LastIndexByte(path, '/')]
	prefix := dir[:strings.LastIndexByte(dir, '/')+1]
	return []basetest.File{
		{Name: path, Mode: 0o755, Body: string(basetest.ELF{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6"}, Strings: []string{version}}.Bytes())},
		{Name: prefix + "lib/python" + minor + "/os.py", Body: "# os\n"},
	}
}

func TestWhichInterpreter(t *testing.T) {
	config, list := basetest.Python(bookworm)
	list = slices.Concat(list, program("usr/local/bin/python3.9", "3.9.18"), program("usr/bin/python3.12", "3.12.1"), program("opt/py/bin/python3.13", "3.13.0"))
	list = append(list, basetest.File{Name: "usr/local/bin/python", Link: "python3.9"}, basetest.File{Name: "venv/bin/python", Link: "/opt/py/bin/python3.13"})
	without := func(names ...string) []basetest.File {
		return slices.DeleteFunc(slices.Clone(list), func(f basetest.File) bool { return slices.Contains(names, f.Name) })
	}
	for name, test := range map[string]struct {
		files []basetest.File
		set   func(*v1.Config)
		want  string
	}{
		"entry point":                  {list, func(c *v1.Config) { c.Entrypoint = []string{"/venv/bin/python", "-m", "x"} }, "/opt/py/bin/python3.13"},
		"entry point on the PATH":      {list, func(c *v1.Config) { c.Entrypoint = []string{"python3.12"} }, "/usr/bin/python3.12"},
		"entry point, relative":        {list, func(c *v1.Config) { c.Entrypoint, c.WorkingDir = []string{"bin/python"}, "/venv" }, "/opt/py/bin/python3.13"},
		"command":                      {list, func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"/tini"}, []string{"python"} }, "/usr/local/bin/python3.9"},
		"python3 before python":        {list, func(c *v1.Config) { c.Entrypoint = nil }, "/usr/bin/python3.11"},
		"the first on the PATH":        {without("usr/bin/python3"), func(c *v1.Config) { c.Entrypoint = []string{"/bin/sh"} }, "/usr/local/bin/python3.9"},
		"the highest":                  {without("usr/bin/python3", "usr/bin/python", "usr/local/bin/python"), func(c *v1.Config) { c.Entrypoint = nil }, "/usr/bin/python3.12"},
		"the highest beside the PATH":  {without("usr/bin/python3", "usr/bin/python", "usr/local/bin/python"), func(c *v1.Config) { c.Entrypoint, c.Env = nil, []string{"PATH=/bin"} }, "/usr/bin/python3.12"},
		"an entry point that is gone":  {list, func(c *v1.Config) { c.Entrypoint = []string{"/usr/bin/python3.8"} }, "/usr/bin/python3.11"},
		"no PATH in the environment":   {list, func(c *v1.Config) { c.Entrypoint, c.Env = nil, nil }, "/usr/bin/python3.11"},
		"a PATH that names the prefix": {list, func(c *v1.Config) { c.Entrypoint, c.Env = nil, []string{"PATH=/venv/bin:rel"} }, "/opt/py/bin/python3.13"},
	} {
		t.Run(name, func(t *testing.T) {
			config := *config.DeepCopy()
			test.set(&config.Config)
			got, err := findFacts(filesOf(t, test.files), &config)
			if err != nil {
				t.Fatal(err)
			}
			if got.Interpreter != test.want {
				t.Errorf("interpreter %q, want %q", got.Interpreter, test.want)
			}
			if !strings.HasPrefix(test.want, "/opt") && !strings.HasSuffix(got.Stdlib, got.Interpreter[strings.LastIndexByte(got.Interpreter, '/'):]) {
				t.Errorf("standard library %q of %q", got.Stdlib, got.Interpreter)
			}
		})
	}
}

func TestVersionFromLibpython(t *testing.T) {
	config, list := basetest.Python(bookworm)
	config.Config.Entrypoint = []string{"/opt/py/bin/python3.12"}
	list = append(list,
		basetest.File{Name: "opt/py/bin/python3.12", Mode: 0o755, Body: string(basetest.ELF{
			Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libpython3.12.so.1.0", "libc.so.6"}, RunPath: "$ORIGIN/../lib",
		}.Bytes())},
		basetest.File{Name: "opt/py/lib/libpython3.12.so.1.0", Body: string(basetest.ELF{Strings: []string{"/versions/3.12.1"}}.Bytes())},
		basetest.File{Name: "opt/py/lib/python3.12/os.py"},
	)
	got, err := findFacts(filesOf(t, list), &config)
	if err != nil {
		t.Fatal(err)
	}
	if got.Target.Python.Full != "3.12.1" || got.Stdlib != "/opt/py/lib/python3.12" || got.LibraryDirs[0] != "/opt/py/lib" || !slices.Contains(got.Loaded, "/opt/py/lib/libpython3.12.so.1.0") {
		t.Errorf("got %+v", got)
	}
}

func TestFactsRefuse(t *testing.T) {
	config, list := basetest.Python(bookworm)
	const interp = "/lib64/ld-linux-x86-64.so.2"
	// with replaces or removes (nil) files of the base.
	with := func(replace map[string]*basetest.File) []basetest.File {
		var out []basetest.File
		for _, f := range list {
			if r, ok := replace[f.Name]; !ok {
				out = append(out, f)
			} else if r != nil {
				r.Name = f.Name
				out = append(out, *r)
			}
		}
		return out
	}
	binary := func(e basetest.ELF) map[string]*basetest.File {
		return map[string]*basetest.File{"usr/bin/python3.11": {Mode: 0o755, Body: string(e.Bytes())}}
	}
	good := basetest.ELF{Interp: interp, Needed: []string{"libc.so.6"}, Strings: []string{"3.11.2"}}
	for name, test := range map[string]struct {
		files []basetest.File
		arch  string
		want  []string // each in the message
	}{
		"no Python at all":               {short("bin/sh=1"), "", []string{"it has no CPython: looked for python3, python and python3.N in its Entrypoint [\"/usr/bin/python3.11\"]", "found nothing of that name"}},
		"a dangling link":                {with(map[string]*basetest.File{"usr/bin/python3.11": nil}), "", []string{"no CPython", "found /usr/bin/python, a link to nothing, /usr/bin/python3, a link to nothing"}},
		"not executable":                 {with(map[string]*basetest.File{"usr/bin/python3.11": {Body: "x"}}), "", []string{"no CPython", "/usr/bin/python3.11, not an executable file"}},
		"a script":                       {with(map[string]*basetest.File{"usr/bin/python3.11": {Mode: 0o755, Body: "#!/bin/sh\n"}}), "", []string{"/usr/bin/python3.11 is not an ELF program (10 bytes)"}},
		"another machine":                {with(binary(basetest.ELF{Machine: elf.EM_RISCV, Interp: interp})), "", []string{"/usr/bin/python3.11 is a program for EM_RISCV"}},
		"32 bit":                         {with(binary(basetest.ELF{Machine: elf.EM_386, Class: elf.ELFCLASS32})), "", []string{"EM_386"}},
		"config of another architecture": {list, "arm64", []string{"/usr/bin/python3.11 is a program for x86_64, but the config says that the image is for \"arm64\""}},
		"musl":                           {with(binary(basetest.ELF{Interp: "/lib/ld-musl-x86_64.so.1", Needed: []string{"libc.musl-x86_64.so.1"}})), "", []string{"built for musl", "/lib/ld-musl-x86_64.so.1"}},
		"static":                         {with(binary(basetest.ELF{Strings: []string{"3.11.2"}})), "", []string{"linked statically"}},
		"no loader":                      {with(map[string]*basetest.File{"lib64/ld-linux-x86-64.so.2": nil}), "", []string{"asks for a loader that the image does not have", interp}},
		"no libc":                        {with(map[string]*basetest.File{"lib/x86_64-linux-gnu/libc.so.6": nil}), "", []string{"no glibc: looked for libc.so.6 in /lib/x86_64-linux-gnu, /lib64, /lib, /usr/lib"}},
		"another libc":                   {with(map[string]*basetest.File{"lib/x86_64-linux-gnu/libc.so.6": {Body: string(basetest.ELF{Versions: []string{"LIBC_1"}}.Bytes())}}), "", []string{"/lib/x86_64-linux-gnu/libc.so.6 is not a glibc"}},
		"no standard library":            {with(map[string]*basetest.File{"usr/lib/python3.11/os.py": nil}), "", []string{"no standard library for /usr/bin/python3.11: looked for lib/python3.11/os.py"}},
		"no version":                     {with(binary(basetest.ELF{Interp: interp, Needed: good.Needed})), "", []string{"/usr/bin/python3.11 holds no version of CPython 3.11"}},
		"another minor":                  {with(binary(basetest.ELF{Interp: interp, Needed: good.Needed, Strings: []string{"3.12.1"}})), "", []string{"should be CPython 3.11", "its bytes say 3.12.1"}},
		"two versions":                   {with(binary(basetest.ELF{Interp: interp, Needed: good.Needed, Strings: []string{"3.11.4", "3.11.2"}})), "", []string{"names several versions: 3.11.2, 3.11.4"}},
		"several standard libraries": {
			append(with(map[string]*basetest.File{"usr/bin/python": {Mode: 0o755, Body: string(good.Bytes())}, "usr/bin/python3": nil, "usr/bin/python3.11": nil}), basetest.File{Name: "usr/lib/python3.12/os.py"}),
			"", []string{"/usr/bin/python does not say which of the standard libraries in /usr/lib"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := *config.DeepCopy()
			if test.arch != "" {
				config.Architecture = test.arch
			}
			got, err := findFacts(filesOf(t, test.files), &config)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant %q in it", err, want)
				}
			}
			if fault.KindOf(err) != fault.Base {
				t.Errorf("kind %d, want base: %v", fault.KindOf(err), err)
			}
		})
	}
}
