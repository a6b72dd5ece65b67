package pep508

import (
	"math/rand/v2"
	"strings"

	"vpk/internal/peer"
)

// environments are what the tests evaluate in. The extra, which packaging wants
// in the environment, is at most one here.
var environments = []struct {
	env   Environment
	extra string
}{
	{env: linux("3.11", "3.11.2", "x86_64")},
	{env: linux("3.11", "3.11.2", "x86_64"), extra: "cpu"},
	{env: linux("3.13", "3.13.0", "aarch64"), extra: "extra-3-foo-gpu"},
	{env: linux("3.14", "3.14.0rc1", "x86_64"), extra: "b-c"},
	{env: linux("3.15", "3.15.0a1+", "x86_64")},
	{env: Environment{
		ImplementationName: "cpython", ImplementationVersion: "3.9.13", OSName: "nt", PlatformMachine: "AMD64",
		PlatformPythonImplementation: "CPython", PlatformRelease: "10", PlatformSystem: "Windows",
		PlatformVersion: "10.0.19045", PythonVersion: "3.9", PythonFullVersion: "3.9.13", SysPlatform: "win32",
	}, extra: "c"},
	{env: Environment{
		ImplementationName: "pypy", ImplementationVersion: "7.3.13", OSName: "posix", PlatformMachine: "arm64",
		PlatformPythonImplementation: "PyPy", PlatformRelease: "22.6.0", PlatformSystem: "Darwin",
		PlatformVersion: "Darwin Kernel Version 22.6.0: Wed", PythonVersion: "3.10", PythonFullVersion: "3.10.13", SysPlatform: "darwin",
	}},
}

func linux(minor, full, machine string) Environment {
	return Environment{
		ImplementationName: "cpython", ImplementationVersion: strings.TrimSuffix(full, "+"), OSName: "posix", PlatformMachine: machine,
		PlatformPythonImplementation: "CPython", PlatformSystem: "Linux", PythonVersion: minor, PythonFullVersion: full, SysPlatform: "linux",
	}
}

// oddMarkers are markers around the places where implementations go wrong; some
// are no markers at all.
var oddMarkers = []string{
	"", " ", "python_version", "python_version >=", ">= '3'", "python_version '3'", "'3'", "python_version > '3", "python_version > \"3'", "(python_version > '3'", "python_version > '3')", "()",
	"python_version>'3'and os_name=='posix'", "python_version>'3'or'x'in os_name", "python_version > '3' and", "and python_version > '3'", "python_version > '3' AND os_name == 'x'",
	"python_version > '3' & os_name == 'x'", "python_version not in '3.8'", "python_version notin '3.8'", "python_version not  in '3.8'", "python_version not\tin'3.8'", "python_version in'3.11 3.12'", "'3'in python_version",
	"python_version inside '3'", "python_version > '3'andos_name == 'x'", "python_version\n> '3'", "python_version > '3'\n", "\tpython_version > '3' ", "python_version\u00a0> '3'", "os_nameé == 'x'", "os_name == 'x'éor os_name == 'y'",
	"os.name == 'posix'", "sys.platform == 'linux'", "platform.version == ''", "platform.machine == 'x86_64'", "platform.python_implementation == 'CPython'", "python_implementation == 'CPython'", "platform.release == ''", "platform.system == 'Linux'",
	"os-name == 'posix'", "Python_Version > '3'", "python_versions > '3'", "extra.name == 'x'", "python_version == os_name", "os_name == os_name", "'a' == 'a'", "'posix' == 'os_name'", "'a' == 'a' and os_name == 'x'", "'a' == 'a' or os_name == 'x'",
	"os_name == python_version or 'a' < 'b'", "('a' == 'b') and ('a' == 'b')", "extra == 'cpu'", "extra == 'CPU'", "extra == 'B_c'", "'B.C' == extra", "extra != 'cpu'", "'cpu' != extra", "extra == ''", "extra != ''", "extra == 'a b'", "extra != '!'", "extra < 'x'", "extra in 'cpu gpu'",
	"extra not in 'cpu gpu'", "'c' in extra", "extra ~= 'x'", "extra === 'cpu'", "extra == os_name", "os_name == extra", "extra == extra", "extra == 'extra-3-foo-gpu'", "extra == 'extra-3-foo-bar' or (extra == 'group-3-foo-a' and extra == 'group-3-foo-b')",
	"extra == 'extra-3-foo-cpu' or extra != 'extra-3-foo-gpu'", "extra == 'project-3-foo'", "'x' in extras", "'X' not in extras", "extras in 'x'", "extras == 'x'", "'x' == extras", "'x' in dependency_groups", "dependency_groups not in 'x'", "extras in extras", "os_name in extras", "extras == os_name",
	"'dev' not in dependency_groups and os_name == 'posix'", "python_version == '3.11'", "python_version == '3.11.0'", "python_version == '3.11.*'", "python_version == '3.*'", "python_version != '3.11.*'", "python_version >= '3.11.*'", "'3.11.*' == python_version", "'3.11' == python_version",
	"'3.11.0' == python_version", "'3.11' <= python_version", "'3.12' > python_version", "'3.9' < python_full_version", "'3.11' ~= python_version", "'3' ~= python_version", "'3.11.0' ~= python_full_version", "python_version ~= '3'", "python_version ~= '3.8'", "python_version ~= '3.11.0'", "python_version ~= 'x'", "'x' ~= python_version",
	"python_version === '3.11'", "python_version === '3.11.0'", "python_version === 'x'", "python_version === 'a b'", "'3.11' === python_version", "'x' === python_version", "os_name === 'posix'", "'posix' === os_name", "platform_release === '10'", "python_full_version == '3.11.2'",
	"python_full_version == '3.11.*'", "python_full_version < '3.14'", "python_full_version >= '3.14'", "python_full_version >= '3.14.0rc1'", "python_full_version == '3.14.0rc1'", "python_full_version > '3.13.999'", "'3.14' <= python_full_version", "'3.14.0rc1' == python_full_version", "python_full_version in '3.14.0rc1'", "'rc' in python_full_version",
	"python_full_version < '3.15.0a2'", "python_full_version >= '3.15'", "implementation_version >= '3.14'", "implementation_version < '3.14'", "implementation_version < '3.14.0rc2'", "implementation_version >= '7'", "implementation_version == '3.11.2'", "python_version in '3.10 3.11'", "python_version in '3.10,3.11'", "python_version not in '3.9, 3.10'",
	"python_full_version in '3.11.20'", "'3.1' in python_version", "python_version == 'x'", "python_version != 'x'", "python_version < 'x'", "python_version <= 'x'", "python_version >= '3.11+x'", "'x' < python_version", "'x' != python_version", "python_version == '=3.11'", "python_version < '=3.11'", "python_version > ' 3.8 '", "python_version == ''",
	"'' == python_version", "python_version >= '3.9,<4'", "python_version == '3.11;'", "python_version < '99999999999999999999'", "python_version >= '03.011'", "python_version >= 'v3.11'", "python_full_version <= '3.11.2.0'", "platform_release >= '5'", "platform_release < '5'", "platform_release == '10'", "platform_release == '10.0'", "platform_release != '5.0'",
	"platform_release ~= '22.6'", "platform_version >= '10'", "platform_version >= '10.0.2'", "platform_machine >= 'x86'", "platform_machine < 'b'", "platform_machine <= 'x86_64'", "platform_machine > 'AMD'", "'x86_64' >= platform_machine", "'a' < os_name", "os_name ~= 'posix'", "os_name ~= 'posix' and python_version < '3'", "os_name ~= 'posix' or python_version < '3'",
	"(os_name ~= 'posix' or 'a' == 'b') and python_version < '3'", "platform_machine in 'x86_64 AMD64'", "'86' in platform_machine", "platform_machine not in 'arm64'", "'' in os_name", "os_name in ''", "sys_platform == \"linux\"", "sys_platform == \"it's\"", "sys_platform == 'say \"x\"'", "sys_platform == 'a\\'", "sys_platform == 'a\\n'", "sys_platform == 'a\nb'",
	"sys_platform == 'a\rb'", "sys_platform == 'a\x00b'", "sys_platform == 'a\tb'", "sys_platform == 'é'", "sys_platform == 'a\fb'", "sys_platform == 'linux' # x", "os_name == 'a' or os_name == 'posix' and os_name == 'b'", "os_name == 'posix' or os_name == 'a' and os_name == 'b'", "(os_name == 'posix' or os_name == 'a') and os_name == 'b'",
	"os_name == 'a' and os_name == 'b' or os_name == 'c' and os_name == 'd' or os_name == 'posix'", "((((os_name == 'posix'))))", "(os_name == 'a' and (os_name == 'b' and (os_name == 'c' or (os_name == 'd'))))", "os_name == 'a' or (os_name == 'b' or os_name == 'posix')",
	"python_version < '0'", "(python_full_version >= '3.11' and sys_platform == 'linux') or (platform_machine == 'arm64' and sys_platform == 'darwin')", "python_full_version >= '3.11' and implementation_name == 'cpython' and 'x' in platform_release", "os_name == 'a'or(os_name=='posix')", "(os_name=='a')or os_name=='posix'",
	"os_name <> 'x'", "os_name = 'x'", "os_name => 'x'", "os_name ! 'x'", "os_name ====  'x'", "os_name not 'x'", "os_name not in", "os_name not os_name", "not os_name == 'x'", "os_name in in 'x'", "os_name == 'x' or or os_name == 'y'", "os_name == 'x',", "os_name == 'x';",
}

var markerValues = map[variable][]string{
	implementationName:           {"cpython", "pypy", "CPython", ""},
	implementationVersion:        {"3.11.2", "3.14", "3.14.0rc1", "3.9", "7.3.13", "7.3.*", "x"},
	osName:                       {"posix", "nt", "java", "p"},
	platformMachine:              {"x86_64", "aarch64", "arm64", "AMD64", "x86_64 AMD64", "86"},
	platformPythonImplementation: {"CPython", "PyPy", "Jython"},
	platformRelease:              {"10", "22.6.0", "22.6", "5.15", "", "microsoft"},
	platformSystem:               {"Linux", "Windows", "Darwin", "Linux Darwin"},
	platformVersion:              {"10.0.19045", "", "Darwin", "#1 SMP"},
	pythonVersion:                {"3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3", "3.*", "3.11.*", "3.11.0", "3.11.2", "3.10 3.11", "2.7", "x", "4", ">3", "3.14.0rc1"},
	pythonFullVersion:            {"3.9", "3.9.13", "3.10.13", "3.11", "3.11.2", "3.11.0", "3.11.*", "3.12", "3.13.0", "3.14.0rc1", "3.14", "3.14.0", "3.15", "3.9.13 3.11.2", "3.13.0b1", "x", "3.11.2+local"},
	sysPlatform:                  {"linux", "win32", "darwin", "cygwin", "lin"},
	extra:                        {"cpu", "CPU", "b_c", "B.-C", "extra-3-foo-gpu", "c", "d"},
}

func randomMarker(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return randomComparison(r)
	}
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = randomMarker(r, depth-1)
		if r.IntN(3) == 0 {
			parts[i] = "(" + pick(r, "", " ") + parts[i] + pick(r, "", " ") + ")"
		}
		if i > 0 {
			parts[i] = pick(r, "and ", "or ") + parts[i]
		}
	}
	return strings.Join(parts, " ")
}

func randomComparison(r *rand.Rand) string {
	v := variables[r.IntN(len(variables)-2)]
	if r.IntN(3) == 0 {
		v = variables[pickInt(r, 13, 14, 14, 17)]
	}
	quote := pick(r, "'", "'", `"`)
	values := markerValues[v.is]
	if r.IntN(20) == 0 {
		values = markerValues[variables[r.IntN(len(variables)-2)].is]
	}
	value := quote + pick(r, values...) + quote
	left, right := v.name, value
	if r.IntN(5) == 0 {
		left, right = right, left
	}
	if r.IntN(60) == 0 {
		right = left
	}
	space := pick(r, " ", " ", " ", "  ", "\t")
	op := pick(r, "==", "==", "!=", "<", "<=", ">", ">=", ">=", " in ", " not in ")
	if r.IntN(20) == 0 {
		op = pick(r, "~=", "~=", "~=", "===")
	}
	return left + space + op + space + right
}

var oddRequirements = []string{
	"", " ", "foo", " foo ", "Foo.Bar__baz", "foo-", "foo_", "-foo", ".foo", "_foo", "f", "1", "foo!", "foo bar", "fooé", "foo\n", "foo[]", "foo[ ]", "foo[a]", "foo [a , B_c,a]", "foo[a,]", "foo[,a]", "foo[a b]", "foo[a", "foo]", "foo[a_]", "foo[a][b]",
	"foo>=1", "foo >=1", "foo>= 1", "foo>=\n1", "foo>=1\n", "foo >= 1 , < 2", "foo>=1,<2,", "foo>=1,<2, ", "foo>=1,,<2", "foo,>=1", "foo>=1 <2", "foo>=1<2", "foo(>=1)", "foo (>=1, <2)", "foo ( >= 1 )", "foo ()", "foo( )", "foo (>=1", "foo >=1)", "foo (>=1) ,<2", "foo (,)", "foo ((>=1))",
	"foo 1.0", "foo (1.0)", "foo=1.0", "foo==1.0.*", "foo==1.0.*,!=1.0.3", "foo>=1.*", "foo>=1+x", "foo==1+x", "foo==1+X.1", "foo==1.0a", "foo==1.0.", "foo==", "foo~=1", "foo~=1.0", "foo===1.0", "foo===bar", "foo===bar,<2", "foo===", "foo=== ;os_name=='x'", "foo<2,===1.0", "foo===(x)", "foo[a]>=1,<2;python_version>'3'",
	"foo;python_version>'3'", "foo ; python_version>'3'", "foo;", "foo ;  ", "foo; python_version", "foo>=1; os_name=='x' ;", "foo>=1 os_name=='x'", "foo>=1,; os_name == 'posix'", "foo # comment", "foo>=1 # comment", "foo @ https://index.example/foo.whl", "foo@https://index.example/foo.whl", "foo @https://index.example/foo.whl ; os_name=='x'",
	"foo @ https://index.example/foo.whl;os_name=='x'", "foo @ https://index.example/foo.whl ;os_name=='x'", "foo[a,b] @ file:///x", "foo @", "foo @ ", "foo @ x y", "foo @ x ", "foo @ x\t;\tos_name=='x'", "foo @ git+https://index.example/foo.git@v1.0#subdirectory=a", "foo>=1 @ x", "foo @ x ; extra == 'a' and 'a' == 'b'",
	"foo @ ../foo", "foo @ x\n", "foo;os_name == 'a\\'", "foo ; extra == 'A_b'", "foo ; 'x' in extras", "foo ; extras == 'x'", "foo>=99999999999999999999", "foo>=1.0-1,<1!2", "foo!=1.0,!=1,!=1.00", "foo (==1.0; os_name=='x')", "foo\t>=1\t;\tos_name=='x'",
}

func randomRequirement(r *rand.Rand) string {
	s := pick(r, "foo", "Foo_Bar", "a.b-c", "x1", "zope.interface")
	if r.IntN(3) == 0 {
		s += pick(r, "[a]", "[A_b, c]", " [x,y,x]", "[]")
	}
	switch r.IntN(5) {
	case 0:
		s += pick(r, " @ ", "@", " @") + pick(r, "https://index.example/a.whl", "git+ssh://git@index.example/a@main", "file:///a") + pick(r, "", " ")
	case 1, 2:
		clauses := make([]string, 1+r.IntN(3))
		for i := range clauses {
			clauses[i] = pick(r, "==", "!=", ">=", "<=", "<", ">", "~=", " >= ") + pick(r, "1.0", "2", "1.0.post1", "1.0a1", "1!2.0", "3.4.5") + pick(r, "", "", "", "", ".*", " ")
		}
		list := strings.Join(clauses, pick(r, ",", ", ", " , "))
		s += pick(r, "", " ") + pick(r, list, list, "("+list+")")
	}
	if r.IntN(2) == 0 {
		s += pick(r, ";", " ; ", "; ") + randomMarker(r, 2)
	}
	return s
}

func mangle(r *rand.Rand, s string) string { return peer.Mangle(r, s, pieces) }

// pieces are what mangle spoils a text with.
var pieces = []string{".", "-", "_", "(", ")", "[", "]", ";", ",", "@", " ", "=", "<", "~", "!", "'", `"`, "0", "in", "and", "or", "not", "é", "\n", "\\"}

func pick(r *rand.Rand, choices ...string) string { return choices[r.IntN(len(choices))] }
func pickInt(r *rand.Rand, choices ...int) int    { return choices[r.IntN(len(choices))] }
