package base

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
)

// pythonName is what a CPython program is called. PyPy, GraalPy and MicroPython have names of their own.
var pythonName = regexp.MustCompile(`^python(?:3(?:\.([0-9]{1,2}))?)?$`)

// defaultPath is the PATH of a container whose config has none (containerd and Docker agree).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// otherBins are looked through for python3.N even when the PATH does not name them.
var otherBins = []string{"/usr/local/bin", "/usr/bin"}

// interpreterSearch looks for the interpreter of an image, and remembers what it saw for the error.
type interpreterSearch struct {
	files *Files
	path  []string // the directories of the config's PATH
	seen  []string // what was called Python and led nowhere
}

// findInterpreter is the path, clean and without links, of the program that `python` means in the image.
func findInterpreter(files *Files, config *v1.ConfigFile) (string, error) {
	s := &interpreterSearch{files: files, path: searchPath(config.Config.Env)}
	for _, words := range [][]string{config.Config.Entrypoint, config.Config.Cmd} {
		if len(words) > 0 && pythonName.MatchString(path.Base(words[0])) {
			if found, ok := s.command(words[0], config.Config.WorkingDir); ok {
				return found, nil
			}
		}
	}
	for _, name := range []string{"python3", "python"} {
		if found, ok := s.command(name, ""); ok {
			return found, nil
		}
	}
	if found, ok := s.highest(); ok {
		return found, nil
	}
	slices.Sort(s.seen)
	saw := "nothing of that name"
	if len(s.seen) > 0 {
		saw = strings.Join(slices.Compact(s.seen), ", ")
	}
	return "", fault.New(fault.Base, "use a base with CPython, such as a distroless python3 image",
		"it has no CPython: looked for python3, python and python3.N in its Entrypoint %q, its Cmd %q, on its PATH %q and in %s; found %s",
		config.Config.Entrypoint, config.Config.Cmd, strings.Join(s.path, ":"), strings.Join(otherBins, " and "), saw)
}

// searchPath is the PATH of a config's environment, absolute directories only.
func searchPath(env []string) []string {
	value := defaultPath
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			value = v
		}
	}
	var dirs []string
	for dir := range strings.SplitSeq(value, ":") {
		if path.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// command finds a program as a container's runtime does: a name on the PATH, a path from the working directory.
func (s *interpreterSearch) command(word, workDir string) (string, bool) {
	if strings.Contains(word, "/") {
		if !path.IsAbs(word) {
			word = path.Join("/", workDir, word)
		}
		return s.program(word)
	}
	for _, dir := range s.path {
		if found, ok := s.program(path.Join(dir, word)); ok {
			return found, true
		}
	}
	return "", false
}

// program follows the links of a path to an executable file.
func (s *interpreterSearch) program(p string) (string, bool) {
	place, err := s.files.Place(p)
	if err != nil {
		return "", false
	}
	if _, ok := s.files.Lookup(place); !ok {
		return "", false
	}
	found, err := s.files.Resolve(p)
	if err != nil {
		s.seen = append(s.seen, p+", a link to nothing")
		return "", false
	}
	e, _ := s.files.Lookup(found)
	if !e.Mode.IsRegular() || e.Mode.Perm()&0o111 == 0 {
		s.seen = append(s.seen, p+", not an executable file")
		return "", false
	}
	return found, true
}

// highest is the python3.N with the highest N in any of the directories; of several the first on the PATH.
func (s *interpreterSearch) highest() (string, bool) {
	type candidate struct {
		minor int
		path  string
	}
	var candidates []candidate
	for _, dir := range append(slices.Clone(s.path), otherBins...) {
		for _, e := range s.files.ReadDir(dir) {
			m := pythonName.FindStringSubmatch(path.Base(e.Path))
			if m == nil || m[1] == "" {
				continue
			}
			if found, ok := s.program(e.Path); ok {
				minor, _ := strconv.Atoi(m[1])
				candidates = append(candidates, candidate{minor, found})
			}
		}
	}
	if len(candidates) == 0 {
		return "", false
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.minor, a.minor) })
	return candidates[0].path, true
}
