package lockfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpk/lockfile"
	"vpk/wheel/tag"
)

// TestStructureLikeUV asks uv about locks that are each wrong in one way, of all that its reader and its selection have an
// error for (crates/uv-resolver/src/lock/mod.rs:5950, crates/uv-pypi-types/src/conflicts.rs:577), and about odd ones that are
// not wrong.
func TestStructureLikeUV(t *testing.T) {
	uv := newOracle(t)
	registry := `{ registry = "` + index + `" }`
	const commit = "0123456789012345678901234567890123456789"
	edge := func(text string) string {
		return head + "@root virtual\ndependencies = [" + text + "]\n@a 1.0\n@b 1.0\n@b 2.0\n"
	}
	// pkg is a lock with a package "a" that the root needs.
	pkg := func(text string) string {
		return head + "@root virtual\ndependencies = [{ name = \"a\" }]\n\n[[package]]\nname = \"a\"\n" + text + "\n"
	}
	wheel := func(source, file string) string {
		return pkg("version = \"1.0\"\nsource = " + source + "\nwheels = [" + file + "]")
	}
	const file = "a-1.0-py3-none-any.whl"
	sum := `"sha256:` + strings.Repeat("0f", 32) + `"`
	conflicts := func(text string) string {
		return head + "conflicts = [" + text + "]\n@root virtual\n"
	}
	cases := map[string]struct {
		text string
		ok   bool
	}{
		"sound":                  {edge(`{ name = "a" }`), true},
		"no packages":            {head, false},
		"no such package":        {edge(`{ name = "c" }`), false},
		"no source":              {edge(`{ name = "b" }`), false},
		"no version":             {edge(`{ name = "b", source = ` + registry + ` }`), false},
		"another version":        {edge(`{ name = "a", version = "2.0" }`), false},
		"equal version":          {edge(`{ name = "a", version = "1.0.0" }`), true},
		"another source":         {edge(`{ name = "a", source = { registry = "https://other.example/simple" } }`), false},
		"edge twice":             {edge(`{ name = "a" }, { name = "a" }`), false},
		"edge twice, spelling":   {edge(`{ name = "a", extra = ["x"] }, { name = "A", extra = ["X"] }`), false},
		"edge with two extras":   {edge(`{ name = "a" }, { name = "a", extra = ["x"] }`), true},
		"edge of an extra twice": {head + "@root virtual\n[package.optional-dependencies]\nx = [{ name = \"a\" }, { name = \"a\" }]\n@a 1.0\n", false},
		"edge of a group twice":  {head + "@root virtual\n[package.dev-dependencies]\nx = [{ name = \"a\" }, { name = \"a\" }]\n@a 1.0\n", false},
		"extra leads nowhere":    {head + "@root virtual\n[package.optional-dependencies]\nx = [{ name = \"c\" }]\n", false},
		"group leads nowhere":    {head + "@root virtual\n[package.dev-dependencies]\nx = [{ name = \"c\" }]\n", false},
		"group under two names":  {head + "@root virtual\n[package.dev-dependencies]\nx = []\n[package.dependency-groups]\nx = []\n", false},
		"package twice":          {head + "@root virtual\n@a 1.0\n@a 1.0\n", false},
		"package twice, version": {head + "@root virtual\n@a 1.0\n@a 1.0.0\n", false},
		"root twice":             {head + "@root virtual\n@root 2.0\n", false},
		"root by another name":   {strings.Replace(edge(`{ name = "a" }`), "@root virtual", "@a virtual", 1), false},
		"no name":                {head + "@root virtual\n[[package]]\nversion = \"1.0\"\nsource = " + registry + "\n", false},
		"bad name":               {head + "@root virtual\n[[package]]\nname = \"a b\"\nversion = \"1.0\"\nsource = " + registry + "\n", false},
		"bad version":            {pkg("version = \"one\"\nsource = " + registry), false},
		"bad marker":             {edge(`{ name = "a", marker = "os_name =" }`), false},
		"no source of a package": {pkg(`version = "1.0"`), false},
		"unknown source":         {pkg("version = \"1.0\"\nsource = { hg = \"x\" }"), false},
		"source is a string":     {pkg("version = \"1.0\"\nsource = \"" + index + "\""), false},
		"git without commit":     {pkg(`version = "1.0"` + "\nsource = { git = \"https://git.example/a\" }"), false},
		"git with a short one":   {pkg(`version = "1.0"` + "\nsource = { git = \"https://git.example/a#0123\" }"), false},
		"git with a wrong one":   {pkg(`version = "1.0"` + "\nsource = { git = \"https://git.example/a#" + strings.Repeat("x", 40) + "\" }"), false},
		"git, no URL":            {pkg(`version = "1.0"` + "\nsource = { git = \"a#" + commit + "\" }"), false},
		"hash in git":            {wheel(`{ git = "https://git.example/a#`+commit+`" }`, `{ filename = "`+file+`", hash = `+sum+` }`), false},
		"hash in a directory":    {wheel(`{ directory = "a" }`, `{ filename = "`+file+`", hash = `+sum+` }`), false},
		"wheel of a directory":   {wheel(`{ directory = "a" }`, `{ filename = "`+file+`" }`), false},
		"wheel of git":           {wheel(`{ git = "https://git.example/a#`+commit+`" }`, `{ filename = "`+file+`" }`), false},
		"wheel without place":    {wheel(registry, `{ hash = `+sum+` }`), false},
		"wheel is a file":        {wheel(registry, `{ filename = "`+file+`", hash = `+sum+` }`), false},
		"wheel has a path":       {wheel(registry, `{ path = "`+file+`", hash = `+sum+` }`), false},
		"bad wheel name":         {head + "@root virtual\n@a 1.0 py3-none\n", false},
		"wheel at a directory":   {wheel(registry, `{ url = "https://index.example/", hash = `+sum+` }`), false},
		"wheel version":          {wheel(registry, `{ url = "https://index.example/a-2.0-py3-none-any.whl" }`), false},
		"wheel local version":    {wheel(registry, `{ url = "https://index.example/a-1.0%2Bx-py3-none-any.whl" }`), true},
		"wheel equal version":    {wheel(registry, `{ url = "https://index.example/a-1.0.0-py3-none-any.whl" }`), true},
		"wheel not ours":         {wheel(registry, `{ url = "https://index.example/a-1.0-cp39-cp39-win_amd64.whl" }`), false},
		"no files":               {pkg("version = \"1.0\"\nsource = " + registry), false},
		"no files, not needed":   {head + "@root virtual\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = " + registry + "\n", true},
		"url without hash":       {wheel(`{ url = "https://index.example/`+file+`" }`, `{ url = "https://index.example/`+file+`" }`), false},
		"url not ours":           {wheel(`{ url = "https://index.example/a-1.0-py2-none-any.whl" }`, `{ url = "https://index.example/a-1.0-py2-none-any.whl", hash = `+sum+` }`), false},
		"path without hash":      {wheel(`{ path = "`+file+`" }`, `{ filename = "`+file+`" }`), false},
		"unknown hash":           {wheel(registry, `{ url = "https://index.example/`+file+`", hash = "sha1:00" }`), false},
		"empty hash":             {wheel(registry, `{ url = "https://index.example/`+file+`", hash = "" }`), false},
		"hash without algorithm": {wheel(registry, `{ url = "https://index.example/`+file+`", hash = "00" }`), false},
		"negative size":          {wheel(registry, `{ url = "https://index.example/`+file+`", size = -1 }`), false},
		"no requires-python":     {"version = 1\n@root virtual\n", false},
		"bad requires-python":    {"version = 1\nrequires-python = \"3\"\n@root virtual\n", false},
		"empty requires-python":  {"version = 1\nrequires-python = \"\"\n@root virtual\n", true},
		"another Python":         {"version = 1\nrequires-python = \">=3.12\"\n@root virtual\n", false},
		"no schema":              {"requires-python = \">=3.10\"\n@root virtual\n", false},
		"other schema":           {"version = 2\nrequires-python = \">=3.10\"\n@root virtual\n", false},
		"any revision":           {"version = 1\nrevision = 4000\nrequires-python = \">=3.10\"\n@root virtual\n", true},
		"negative revision":      {"version = 1\nrevision = -1\nrequires-python = \">=3.10\"\n@root virtual\n", false},
		"unknown keys":           {"future = 1\n" + head + "@root virtual\nfuture = [1]\n", true},
		"a package, no array":    {head + "[package]\nname = \"root\"\nversion = \"1.0\"\nsource = { virtual = \".\" }\n", false},
		"wheels, no array":       {head + "@root virtual\n[package.wheels]\nurl = \"https://index.example/root-1.0-py3-none-any.whl\"\n", false},
		"unknown conflict key":   {conflicts(`[{ package = "root", future = "x" }, { package = "a" }]`), false},
		"conflict of none":       {conflicts(`[]`), false},
		"conflict of one":        {conflicts(`[{ package = "root", extra = "x" }]`), false},
		"conflict of nothing":    {conflicts(`[{ package = "root", extra = "x" }, {}]`), false},
		"conflict of both":       {conflicts(`[{ package = "root", extra = "x", group = "y" }, { package = "root" }]`), false},
		"conflict without name":  {conflicts(`[{ extra = "x" }, { extra = "y" }]`), false},
		"conflict":               {conflicts(`[{ package = "root", extra = "x" }, { package = "root" }]`), true},
		"unsupported":            {head + "supported-markers = [\"sys_platform == 'win32'\"]\n@root virtual\n", false},
		"dynamic version":        {head + "@root virtual\n[[package]]\nname = \"a\"\nsource = { virtual = \"a\" }\n", true},
		"two for the manifest":   {head + "manifest.dependency-groups.g = [{ name = \"b\" }]\n@root virtual\n@b 1.0\n@b 2.0\n", true},
		"member that is missing": {head + "manifest.members = [\"root\", \"gone\"]\n@root virtual\n", true},
	}
	dir := t.TempDir()
	manifest := "[project]\nname = \"root\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\n"
	if err := os.WriteFile(filepath.Join(dir, "pyproject.toml"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := expandLock(c.text)
			if err := os.WriteFile(filepath.Join(dir, "uv.lock"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			target := testTarget("3.11", tag.X8664)
			_, uvErr := uv.packages(t, dir, target)
			lock, err := lockfile.Parse([]byte(text), "uv.lock")
			if err == nil {
				_, err = lockfile.Select(lock, target, lockfile.Request{Project: "root"})
			}
			if (uvErr == nil) != c.ok || (err == nil) != c.ok {
				t.Errorf("want it to be used: %v\nvpk: %v\nuv: %v", c.ok, err, uvErr)
			}
		})
	}
}
