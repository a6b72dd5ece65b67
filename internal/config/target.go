package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"vpk/internal/fault"
	"vpk/wheel/tag"
)

// uv writes x86_64-manylinux_2_36 and takes the order of a wheel's tag too (crates/uv-configuration/src/target_triple.rs).
var (
	archFirst = regexp.MustCompile(`^(x86_64|aarch64)-(manylinux_([0-9]+)_([0-9]+)|manylinux2014|unknown-linux-gnu)$`)
	archLast  = regexp.MustCompile(`^(manylinux_[0-9]+_[0-9]+|manylinux2014)_(x86_64|aarch64)$`)
)

// ParseTarget reads uv's --python-version ("3.11", "3.11.2") and --python-platform ("x86_64-manylinux_2_36",
// "x86_64-unknown-linux-gnu", "linux"). As in uv, a platform that names no glibc means 2.28.
func ParseTarget(version, platform string) (tag.Target, error) {
	python, err := tag.ParsePython(version)
	if err != nil {
		return tag.Target{}, fault.Wrap(fault.Usage, "", err)
	}
	if python.Major != 3 {
		return tag.Target{}, fault.New(fault.Usage, "", "python version %q is not supported: want 3.N", version)
	}
	words := platform
	if m := archLast.FindStringSubmatch(platform); m != nil {
		words = m[2] + "-" + m[1]
	} else if platform == "linux" {
		words = "x86_64-unknown-linux-gnu"
	}
	m := archFirst.FindStringSubmatch(words)
	if m == nil {
		problem := "is not known"
		if strings.Contains(platform, "musl") {
			problem = "is musl's, which is not supported"
		}
		return tag.Target{}, fault.Wrap(fault.Usage, "name it as x86_64-manylinux_2_36 or aarch64-manylinux_2_36",
			fmt.Errorf("python platform %q %s", platform, problem))
	}
	t := tag.Target{Python: python, Arch: tag.Arch(m[1]), Glibc: tag.Glibc{Major: 2, Minor: 28}}
	switch {
	case m[3] != "":
		major, majorErr := strconv.Atoi(m[3])
		minor, minorErr := strconv.Atoi(m[4])
		if majorErr != nil || minorErr != nil || major != 2 || minor > 999 {
			return tag.Target{}, fault.New(fault.Usage, "", "python platform %q names no glibc 2.N", platform)
		}
		t.Glibc = tag.Glibc{Major: major, Minor: minor}
	case m[2] == "manylinux2014":
		t.Glibc.Minor = 17
	}
	return t, nil
}
