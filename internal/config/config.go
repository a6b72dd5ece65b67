// Package config reads what the user says once and for all: the table [tool.vpk] of pyproject.toml, the environment, and uv's
// settings.
//
// Flags beat the environment, the environment beats the file; the command line does that, here each source is read by
// itself. A key of [tool.vpk] that is not known is an error that names its line and the nearest known key, for a
// misspelt `cmd` would otherwise be noticed in production. What is wrong with values is told all at once, with lines. Values are checked for their form here and for their sense where
// they are used: whether `cmd` exists is known only once the image's files are.
//
// Of uv's own settings, what bears on an image is read from where uv reads it, with its precedence (ReadSettings): UV_*
// variables, the project's uv.toml or [tool.uv], the user's and the system's uv.toml. Values that may be secret (passwords of
// indexes, of proxies, of mirrors) appear in no message.
//
// Not done: other places for [tool.vpk] than pyproject.toml; keys of uv.toml that are not known are not told.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/lockfile/tomlpos"
)

// DefaultBase is the base image that is used when nothing names another.
const DefaultBase = "gcr.io/distroless/python3-debian12:nonroot"

// DefaultUser is the user of the image and the owner of its files when nothing names another: distroless' nonroot.
const DefaultUser = "65532:65532"

// File is the table [tool.vpk].
type File struct {
	Base        string            `toml:"base"`        // as --base
	Platforms   []string          `toml:"platforms"`   // "linux/amd64"
	Package     string            `toml:"package"`     // the workspace member to pack
	Packages    []string          `toml:"packages"`    // import packages and modules of this project, by path; nil to find them
	Version     string            `toml:"version"`     // of this project, where it is dynamic
	Extras      []string          `toml:"extras"`      // as --extra
	Groups      []string          `toml:"groups"`      // as --group
	Entrypoint  []string          `toml:"entrypoint"`  // of the image
	Cmd         []string          `toml:"cmd"`         // of the image
	Env         map[string]string `toml:"env"`         // added to the base's
	User        string            `toml:"user"`        // of the image: UID, UID:GID or a name in the base, perhaps with a group
	Owner       string            `toml:"owner"`       // of the files: UID:GID
	Workdir     string            `toml:"workdir"`     // absolute
	Ports       []Port            `toml:"ports"`       // 8000 or "8000/udp"
	Labels      map[string]string `toml:"labels"`      // of the config
	Annotations map[string]string `toml:"annotations"` // of the manifest
	Include     []string          `toml:"include"`     // patterns of project files to pack, else all
	Exclude     []string          `toml:"exclude"`     // patterns of project files to leave out, after .dockerignore
	Collisions  string            `toml:"collisions"`  // "report" or "error"
	Compression string            `toml:"compression"` // as --compression
	Mirrors     []Mirror          `toml:"-"`           // where to look for files in place of the lock's URLs
	Bytecode    Bytecode          `toml:"bytecode"`
	Layers      Layers            `toml:"-"`
}

// Bytecode is the table [tool.vpk.bytecode].
type Bytecode struct {
	Enabled  *bool    `toml:"enabled"`  // none at all, as with --no-bytecode, if this is false
	Optimize int      `toml:"optimize"` // level: 0, 1 or 2
	Include  []string `toml:"include"`  // patterns of modules to compile, else all
	Exclude  []string `toml:"exclude"`  // patterns of modules not to compile
	Sources  *bool    `toml:"sources"`  // of wheels' modules that have bytecode: left out if this is false
	Stdlib   *bool    `toml:"stdlib"`   // of the base's standard library too, where it has none: unless this is false
}

// Keys are the known keys of [tool.vpk].
var keys = []string{
	"annotations", "base", "bytecode", "cmd", "collisions", "compression", "entrypoint", "env", "exclude", "extras", "groups", "include", "labels",
	"layers", "mirror", "owner", "package", "packages", "platforms", "ports", "user", "version", "workdir",
}

// bytecodeKeys are those of [tool.vpk.bytecode].
var bytecodeKeys = []string{"enabled", "exclude", "include", "optimize", "sources", "stdlib"}

// compressions are the forms that layer.ParseCompression reads.
var compressions = regexp.MustCompile(`^(gzip|none|zstd(:([1-9]|1[0-9]|2[0-2]))?)$`)

// Port is an exposed port as the image config writes it: "8000/tcp".
type Port string

// UnmarshalText reads 8000, "8000" or "8000/udp".
func (p *Port) UnmarshalText(text []byte) error {
	number, protocol, _ := strings.Cut(string(text), "/")
	if protocol == "" {
		protocol = "tcp"
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return fmt.Errorf("port %q is not a number from 1 to 65535 with an optional /tcp, /udp or /sctp", text)
	}
	*p = Port(fmt.Sprintf("%d/%s", n, protocol))
	return nil
}

// Read reads [tool.vpk] of a pyproject.toml; name is how messages call the file. Other tables are not looked at.
func Read(data []byte, name string) (File, error) {
	var doc struct {
		Tool struct {
			VPK rawFile `toml:"vpk"`
		} `toml:"tool"`
	}
	d := toml.NewDecoder(bytes.NewReader(tomlpos.Text(data))).DisallowUnknownFields()
	err := d.Decode(&doc)
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict):
		if err := unknownKeys(strict, name); err != nil {
			return File{}, err
		}
	case err != nil:
		return File{}, fault.Wrap(fault.Usage, "", tomlpos.Explain(err, name))
	}
	f, problems := doc.Tool.VPK.file()
	problems = append(problems, f.check()...)
	if err := join(problems, data, name); err != nil {
		return File{}, fault.Wrap(fault.Usage, "", err)
	}
	return f, nil
}

// problem is a value that is not accepted, and its place below [tool.vpk].
type problem struct {
	place []any
	err   error
}

// join makes one error of problems, each with its line, in the order of the file.
func join(problems []problem, data []byte, name string) error {
	if len(problems) == 0 {
		return nil
	}
	index := tomlpos.NewIndex(data)
	line := func(p problem) int { return index.Line(append([]any{"tool", "vpk"}, p.place...)...) }
	slices.SortStableFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(line(a), line(b)), cmp.Compare(a.err.Error(), b.err.Error()))
	})
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = fmt.Errorf("%s:%d: %w", name, line(p), p.err)
	}
	return errors.Join(errs...)
}

// rawFile is File before what has several forms is read: ports may be numbers.
type rawFile struct {
	File
	Ports  []any        `toml:"ports"`
	Mirror []mirrorWire `toml:"mirror"`
	Layers any          `toml:"layers"`
}

func (r rawFile) file() (File, []problem) {
	f := r.File
	var problems []problem
	for i, port := range r.Ports {
		var p Port
		if err := p.UnmarshalText(fmt.Append(nil, port)); err != nil {
			problems = append(problems, problem{[]any{"ports", i}, err})
			continue
		}
		f.Ports = append(f.Ports, p)
	}
	for i, wire := range r.Mirror {
		m, err := wire.mirror()
		if err != nil {
			problems = append(problems, problem{[]any{"mirror", i}, err})
			continue
		}
		f.Mirrors = append(f.Mirrors, m)
	}
	groups, wrong := layers(r.Layers)
	f.Layers = groups
	return f, append(problems, wrong...)
}

// unknownKeys turns go-toml's complaint, which is about the whole file, into one about our table.
func unknownKeys(strict *toml.StrictMissingError, name string) error {
	var errs []error
	for _, e := range strict.Errors {
		key := e.Key()
		if len(key) < 3 || key[0] != "tool" || key[1] != "vpk" {
			continue
		}
		line, _ := e.Position()
		known, word := keys, key[2]
		if word == "bytecode" && len(key) > 3 {
			known, word = bytecodeKeys, key[3]
		} else if word == "mirror" && len(key) > 3 {
			known, word = mirrorKeys, key[len(key)-1]
		}
		hint := "known keys: " + strings.Join(known, ", ")
		if near := spelling.Nearest(word, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		errs = append(errs, fault.New(fault.Usage, hint, "%s:%d: unknown key %q in [tool.vpk]", name, line, strings.Join(key[2:], ".")))
	}
	return errors.Join(errs...)
}

// check finds values that have the right type and are wrong all the same.
func (f File) check() []problem {
	var problems []problem
	add := func(err error, place ...any) { problems = append(problems, problem{place, err}) }
	if f.Workdir != "" && !strings.HasPrefix(f.Workdir, "/") {
		add(fmt.Errorf("workdir %q is not an absolute path", f.Workdir), "workdir")
	}
	if f.User != "" && !isUser(f.User) {
		add(fmt.Errorf("user %q is not UID, UID:GID, NAME or NAME:GROUP", f.User), "user")
	}
	if f.Owner != "" {
		if _, _, err := ParseOwner(f.Owner); err != nil {
			add(err, "owner")
		}
	}
	if f.Collisions != "" && f.Collisions != "report" && f.Collisions != "error" {
		add(fmt.Errorf(`collisions %q is neither "report" nor "error"`, f.Collisions), "collisions")
	}
	if f.Compression != "" && !compressions.MatchString(f.Compression) {
		add(fmt.Errorf("compression %q is not gzip, zstd, zstd:LEVEL with a level from 1 to 22, or none", f.Compression), "compression")
	}
	if f.Bytecode.Optimize < 0 || f.Bytecode.Optimize > 2 {
		add(fmt.Errorf("optimize %d is not 0, 1 or 2", f.Bytecode.Optimize), "bytecode", "optimize")
	}
	for key, argv := range map[string][]string{"cmd": f.Cmd, "entrypoint": f.Entrypoint} {
		if len(argv) > 0 && argv[0] == "" {
			add(fmt.Errorf("the first word of %s is empty", key), key)
		}
	}
	for name := range f.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			add(fmt.Errorf("env name %q is empty or has a =", name), "env", name)
		}
	}
	for i, v := range f.Platforms {
		if _, err := ParsePlatform(v); err != nil {
			add(err, "platforms", i)
		}
	}
	return problems
}

// isUser says whether s can be the user of an image (image-spec, config.md, "User"): a user and perhaps a group, each a name or a
// number.
func isUser(s string) bool {
	user, group, both := strings.Cut(s, ":")
	word := func(w string) bool {
		return w != "" && !strings.ContainsFunc(w, func(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) })
	}
	return word(user) && (!both || word(group))
}

// ParseOwner reads "UID:GID" or "UID", which is both.
func ParseOwner(s string) (uid, gid int, err error) {
	user, group, ok := strings.Cut(s, ":")
	if !ok {
		group = user
	}
	u, uerr := strconv.ParseUint(user, 10, 31)
	g, gerr := strconv.ParseUint(group, 10, 31)
	if uerr != nil || gerr != nil {
		return 0, 0, fmt.Errorf("owner %q is not UID:GID in numbers", s)
	}
	return int(u), int(g), nil
}

// ParsePlatform reads "linux/amd64"; the result is the architecture as OCI spells it.
func ParsePlatform(s string) (arch string, err error) {
	system, rest, ok := strings.Cut(s, "/")
	arch, variant, _ := strings.Cut(rest, "/")
	switch {
	case !ok || system != "linux" || arch == "":
		return "", fmt.Errorf("platform %q is not linux/ARCH%s", s, meantPlatform(s))
	case arch == "amd64" && variant == "", arch == "arm64" && (variant == "" || variant == "v8"):
		return arch, nil
	}
	return "", fmt.Errorf("platform %q is not supported: want linux/amd64 or linux/arm64%s", s, meantPlatform(s))
}

// meantPlatform tells which platform a word may mean, as the end of a message: one that is misspelt, lacks its first part, or
// has the name that kernels have for the machine.
func meantPlatform(s string) string {
	near := spelling.Nearest(s, []string{"linux/amd64", "linux/arm64"})
	arch := s[strings.LastIndexByte(s, '/')+1:]
	if other := map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "amd64": "amd64", "arm64": "arm64"}[arch]; other != "" {
		near = "linux/" + other
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}
