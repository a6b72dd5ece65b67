package wheel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxElement is how long one element of a path can be on Linux.
const maxElement = 255

// checkName proves that a member's name can only mean a path below the root that it is put under.
func checkName(name string) error {
	clean := strings.TrimSuffix(name, "/")
	switch {
	case clean == "":
		return errors.New("its name is empty")
	case !utf8.ValidString(clean):
		return errors.New("its name is not UTF-8")
	case strings.ContainsFunc(clean, unicode.IsControl):
		return errors.New("its name has a control character")
	case strings.Contains(clean, `\`):
		return errors.New("its name has a backslash")
	case clean[0] == '/':
		return errors.New("its name is absolute")
	case len(clean) >= 2 && clean[1] == ':' && (clean[0]|0x20) >= 'a' && (clean[0]|0x20) <= 'z':
		return errors.New("its name begins with a drive letter")
	case slices.Contains(strings.Split(clean, "/"), ".."):
		return errors.New("its name leads out of the wheel")
	case !fs.ValidPath(clean) || clean == ".":
		return errors.New("its name has an empty element or a dot for one")
	}
	for element := range strings.SplitSeq(clean, "/") {
		if len(element) > maxElement {
			return fmt.Errorf("its name has an element of more than %d bytes", maxElement)
		}
	}
	return nil
}

// checkClashes finds names that are both a file and a directory. files are sorted by name, each once; dirs are the
// members that are directories, without their slash.
func checkClashes(files []Info, dirs []string) []problem {
	isFile := make(map[string]bool, len(files))
	for _, f := range files {
		isFile[f.Name] = true
	}
	var problems []problem
	seen := map[string]bool{}
	// mustBeDir walks up from a directory to the first one that was seen before.
	mustBeDir := func(dir string) {
		for dir != "." && !seen[dir] {
			seen[dir] = true
			if isFile[dir] {
				problems = append(problems, problem{dir, errors.New("it is both a file and a directory")})
			}
			dir = path.Dir(dir)
		}
	}
	for _, d := range dirs {
		mustBeDir(d)
	}
	for _, f := range files {
		mustBeDir(path.Dir(f.Name))
	}
	return problems
}
