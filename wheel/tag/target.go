package tag

import (
	"fmt"
	"strconv"
	"strings"
)

// Python is the version of a CPython interpreter: what `platform.python_version()` says.
type Python struct {
	Major, Minor int
	// Full is the full version, e.g. "3.11.2" or "3.14.0rc1". Empty when only the minor is known.
	Full string
}

// ParsePython reads "3.11", "3.11.2" or "3.14.0rc1".
func ParsePython(s string) (Python, error) {
	major, rest, _ := strings.Cut(s, ".")
	minor, patch, hasPatch := strings.Cut(rest, ".")
	p := Python{}
	var err error
	if p.Major, err = strconv.Atoi(major); err == nil {
		p.Minor, err = strconv.Atoi(minor)
	}
	if err != nil || p.Major < 0 || p.Minor < 0 || hasPatch && (patch == "" || patch[0] < '0' || patch[0] > '9') {
		return Python{}, fmt.Errorf("parse python version %q: want MAJOR.MINOR or MAJOR.MINOR.PATCH", s)
	}
	if hasPatch {
		p.Full = s
	}
	return p, nil
}

// Short is the `python_version` of PEP 508: "3.11".
func (p Python) Short() string { return fmt.Sprintf("%d.%d", p.Major, p.Minor) }

// String is the full version where it is known, else MAJOR.MINOR.0, which is what uv assumes of a bare minor.
func (p Python) String() string {
	if p.Full != "" {
		return p.Full
	}
	return p.Short() + ".0"
}

// Arch is a machine name as `uname -m` and wheel tags spell it.
type Arch string

// The architectures that have a manylinux platform tag vpk knows.
const (
	X8664   Arch = "x86_64"
	AArch64 Arch = "aarch64"
)

// ParseOCIArch maps the architecture of an OCI platform ("amd64", "arm64") to its machine name.
func ParseOCIArch(s string) (Arch, error) {
	switch s {
	case "amd64":
		return X8664, nil
	case "arm64":
		return AArch64, nil
	}
	return "", fmt.Errorf("architecture %q is not supported: want amd64 or arm64", s)
}

// OCI is the name of the architecture in an OCI platform ("amd64", "arm64").
func (a Arch) OCI() string {
	switch a {
	case X8664:
		return "amd64"
	case AArch64:
		return "arm64"
	}
	return string(a)
}

// Glibc is a glibc version: the highest GLIBC_Major.Minor that a libc defines.
type Glibc struct{ Major, Minor int }

func (g Glibc) String() string { return fmt.Sprintf("%d.%d", g.Major, g.Minor) }

// Target is what a wheel must run on: one CPython on one architecture and one glibc. It is plain data, read from a
// base image or named by the user.
type Target struct {
	Python Python
	Arch   Arch
	Glibc  Glibc
}

// Platform is the newest manylinux tag of the target, in uv's words for --python-platform with the arch last:
// "manylinux_2_36_x86_64".
func (t Target) Platform() string {
	return fmt.Sprintf("manylinux_%d_%d_%s", t.Glibc.Major, t.Glibc.Minor, t.Arch)
}

func (t Target) String() string {
	return fmt.Sprintf("CPython %s on %s", t.Python, t.Platform())
}
