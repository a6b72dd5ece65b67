package base

import (
	"debug/elf"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/wheel/tag"
)

// Facts say which CPython an image has. Paths are absolute and without links.
type Facts struct {
	Target tag.Target
	// Interpreter is the program: "/usr/bin/python3.11".
	Interpreter string
	// Loader is the dynamic loader that the interpreter asks for: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2".
	Loader string
	// LibraryDirs are where the loader finds libraries, in its order: its --library-path outside of the image.
	LibraryDirs []string
	// Stdlib is the directory of the standard library: "/usr/lib/python3.11".
	Stdlib string
	// StdlibCompiled says whether the standard library comes with bytecode, to judge by os.py.
	StdlibCompiled bool
	// Loaded are the regular files that the interpreter may load before site-packages are in play, sorted: itself, its loader,
	// the standard library, and the libraries that these need.
	Loaded []string
}

// machines are the architectures by the machine in a program's header.
var machines = map[elf.Machine]tag.Arch{elf.EM_X86_64: tag.X8664, elf.EM_AARCH64: tag.AArch64}

// Arch is the architecture whose programs and libraries an ELF machine runs, "" for one that no base is of.
func Arch(m elf.Machine) tag.Arch { return machines[m] }

// findFacts derives the facts from the file index and the config: nothing else is read. Its error is of kind fault.Base.
func findFacts(files *Files, config *v1.ConfigFile) (Facts, error) {
	interpreter, err := findInterpreter(files, config)
	if err != nil {
		return Facts{}, err
	}
	p := python{files: files, path: interpreter}
	entry, _ := files.Lookup(interpreter)
	if p.elf = entry.ELF; p.elf == nil {
		return Facts{}, broken("/%s is not an ELF program (%d bytes): a script cannot stand for the interpreter", interpreter, entry.Size)
	}
	f := Facts{Interpreter: "/" + interpreter}
	if f.Target.Arch, err = p.arch(config); err != nil {
		return Facts{}, err
	}
	if f.Loader, err = p.loader(); err != nil {
		return Facts{}, err
	}
	p.findLibraryDirs(f.Target.Arch)
	f.LibraryDirs = p.dirs
	if f.Target.Glibc, err = p.glibc(); err != nil {
		return Facts{}, err
	}
	stdlib, minor, err := p.stdlib()
	if err != nil {
		return Facts{}, err
	}
	f.Stdlib = "/" + stdlib
	if f.Target.Python, err = p.version(minor); err != nil {
		return Facts{}, err
	}
	_, f.StdlibCompiled = files.Lookup(path.Join(stdlib, "__pycache__", "os.cpython-3"+strconv.Itoa(minor)+".pyc"))
	f.Loaded = p.loaded(f)
	return f, nil
}

// python is an interpreter in an image.
type python struct {
	files *Files
	path  string // clean, without links
	elf   *ELF
	dirs  []string // of libraries, absolute, without links
}

// arch is the architecture of the program, which must be the config's.
func (p python) arch(config *v1.ConfigFile) (tag.Arch, error) {
	arch, ok := machines[p.elf.Machine]
	if !ok {
		return "", broken("/%s is a program for %s: want x86-64 or AArch64", p.path, p.elf.Machine)
	}
	if arch.OCI() != config.Architecture {
		return "", broken("/%s is a program for %s, but the config says that the image is for %q", p.path, arch, config.Architecture)
	}
	return arch, nil
}

// loader is the real path of the program's loader, which must be glibc's.
func (p python) loader() (string, error) {
	const hint = "use a glibc base, such as a distroless python3 image: manylinux wheels do not run on another C library"
	interp := p.elf.Interp
	switch {
	case strings.HasPrefix(path.Base(interp), "ld-musl-"), slices.ContainsFunc(p.elf.Needed, func(s string) bool { return strings.HasPrefix(s, "libc.musl-") }):
		return "", fault.New(fault.Base, hint, "its CPython is built for musl (/%s asks for %s)", p.path, interp)
	case interp == "":
		return "", fault.New(fault.Base, hint, "/%s is linked statically: it can load no glibc and no extension module", p.path)
	}
	real, err := p.files.Resolve(interp)
	if err != nil {
		return "", broken("/%s asks for a loader that the image does not have: %w", p.path, err)
	}
	return "/" + real, nil
}

// findLibraryDirs lists the directories that glibc's loader searches: the program's own, those in Debian's ld.so.conf, the
// system's; where they exist.
func (p *python) findLibraryDirs(arch tag.Arch) {
	triplet := string(arch) + "-linux-gnu"
	dirs := make([]string, 0, 16)
	for _, dir := range p.elf.RunPath {
		dirs = append(dirs, expandOrigin(dir, p.path))
	}
	dirs = append(dirs, "/usr/local/lib", "/usr/local/lib/"+triplet, "/lib/"+triplet, "/usr/lib/"+triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	for _, dir := range dirs {
		if real, err := p.files.Resolve(dir); err == nil && path.IsAbs(dir) && !slices.Contains(p.dirs, "/"+real) {
			if e, _ := p.files.Lookup(real); e.Mode.IsDir() {
				p.dirs = append(p.dirs, "/"+real)
			}
		}
	}
}

// expandOrigin puts the directory of a file in place of $ORIGIN.
func expandOrigin(dir, file string) string {
	origin := "/" + parent(file)
	return strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin).Replace(dir)
}

// library finds a needed library, first in the directories that the file which needs it names.
func (p python) library(name, neededBy string, runPath []string) (string, bool) {
	if strings.Contains(name, "/") {
		real, err := p.files.Resolve(name)
		return real, err == nil
	}
	dirs := make([]string, 0, len(runPath)+len(p.dirs))
	for _, dir := range runPath {
		dirs = append(dirs, expandOrigin(dir, neededBy))
	}
	for _, dir := range append(dirs, p.dirs...) {
		if real, err := p.files.Resolve(path.Join(dir, name)); err == nil {
			if e, _ := p.files.Lookup(real); e.Mode.IsRegular() {
				return real, true
			}
		}
	}
	return "", false
}

// glibc is the version of the C library that the program gets.
func (p python) glibc() (tag.Glibc, error) {
	const name = "libc.so.6"
	libc, ok := p.library(name, p.path, nil)
	if !ok {
		return tag.Glibc{}, broken("it has no glibc: looked for %s in %s", name, strings.Join(p.dirs, ", "))
	}
	if e, _ := p.files.Lookup(libc); e.ELF != nil && e.ELF.Glibc != (tag.Glibc{}) {
		return e.ELF.Glibc, nil
	}
	return tag.Glibc{}, broken("/%s is not a glibc: it defines no version GLIBC_2.N", libc)
}

// stdlib is the directory of the standard library and the minor version in its name: lib/python3.N or lib64/python3.N in
// the nearest directory above the program's, told by os.py, as CPython's getpath does it.
func (p python) stdlib() (dir string, minor int, err error) {
	pattern, wanted := "python3.N", -1
	if m := pythonName.FindStringSubmatch(path.Base(p.path)); m != nil && m[1] != "" {
		pattern = "python3." + m[1]
		wanted, _ = strconv.Atoi(m[1])
	}
	for prefix := parent(p.path); ; prefix = parent(prefix) {
		for _, lib := range []string{"lib", "lib64"} {
			var found []int
			for _, e := range p.files.ReadDir(path.Join(prefix, lib)) {
				m := pythonName.FindStringSubmatch(path.Base(e.Path))
				if m == nil || m[1] == "" {
					continue
				}
				if n, _ := strconv.Atoi(m[1]); (wanted < 0 || n == wanted) && p.isFile(path.Join(e.Path, "os.py")) {
					found = append(found, n)
				}
			}
			switch {
			case len(found) > 1:
				return "", 0, broken("/%s does not say which of the standard libraries in /%s is its own: there are several", p.path, path.Join(prefix, lib))
			case len(found) == 1:
				real, err := p.files.Resolve(path.Join(prefix, lib, "python3."+strconv.Itoa(found[0])))
				return real, found[0], err
			}
		}
		if prefix == "." {
			return "", 0, broken("it has no standard library for /%s: looked for lib/%s/os.py and lib64/%s/os.py in every directory above it", p.path, pattern, pattern)
		}
	}
}

func (p python) isFile(name string) bool {
	real, err := p.files.Resolve(name)
	if err != nil {
		return false
	}
	e, _ := p.files.Lookup(real)
	return e.Mode.IsRegular()
}

// version is the full version, from the program's own bytes or from those of the libpython that it needs.
func (p python) version(minor int) (tag.Python, error) {
	sources := []string{p.path}
	all := p.elf.pythons
	for _, name := range p.elf.Needed {
		if !strings.HasPrefix(name, "libpython") {
			continue
		}
		if lib, ok := p.library(name, p.path, p.elf.RunPath); ok {
			sources = append(sources, lib)
			if e, _ := p.files.Lookup(lib); e.ELF != nil {
				all = append(slices.Clone(all), e.ELF.pythons...)
			}
		}
	}
	where := "/" + strings.Join(sources, " and /")
	var alone, tails, others []string
	for _, v := range all {
		switch {
		case v.minor != minor:
			others = append(others, v.full)
		case v.alone:
			alone = append(alone, v.full)
		default:
			tails = append(tails, v.full)
		}
	}
	found := alone
	if len(found) == 0 {
		found = tails
	}
	slices.Sort(found)
	found = slices.Compact(found)
	switch {
	case len(found) == 1:
		return tag.Python{Major: 3, Minor: minor, Full: found[0]}, nil
	case len(found) > 1:
		return tag.Python{}, broken("%s names several versions: %s", where, strings.Join(found, ", "))
	case len(others) > 0:
		return tag.Python{}, broken("%s should be CPython 3.%d by its name or standard library, but its bytes say %s", where, minor, strings.Join(slices.Compact(others), ", "))
	}
	return tag.Python{}, broken("%s holds no version of CPython 3.%d", where, minor)
}

// loaded lists what Facts.Loaded says.
func (p python) loaded(f Facts) []string {
	done := map[string]bool{}
	var add func(file string)
	add = func(file string) {
		e, ok := p.files.Lookup(file)
		if !ok || !e.Mode.IsRegular() || done[file] {
			return
		}
		done[file] = true
		if e.ELF == nil {
			return
		}
		for _, name := range e.ELF.Needed {
			if lib, ok := p.library(name, file, e.ELF.RunPath); ok {
				add(lib)
			}
		}
	}
	add(p.path)
	add(clean(f.Loader))
	for _, e := range p.files.below(clean(f.Stdlib)) {
		if inSitePackages(e.Path, clean(f.Stdlib)) {
			continue
		}
		if e.Mode.Type() != 0 {
			if real, err := p.files.Resolve(e.Path); err == nil {
				add(real)
			}
			continue
		}
		add(e.Path)
	}
	list := make([]string, 0, len(done))
	for file := range done {
		list = append(list, "/"+file)
	}
	slices.Sort(list)
	return list
}

// inSitePackages says whether a path of the standard library's directory is not of the standard library.
func inSitePackages(p, stdlib string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, stdlib+"/"), "/")
	return first == "site-packages" || first == "dist-packages"
}
