package testwheel

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Builder collects the members of a wheel. Its methods return it, so that calls chain; members keep the order of the
// calls, and the generated ones follow.
type Builder struct {
	name, version, build string
	tags                 string
	members              []Member
	metadata             []string
	console, gui         []string
	replaced             map[string]*string // generated dist-info files: nil = left out, else their content
	wrongHashes          map[string]bool
	trailing             string
	comment              string
}

// New starts a pure-Python wheel: tags py3-none-any.
func New(name, version string) *Builder {
	return &Builder{
		name: name, version: version, tags: "py3-none-any",
		replaced: map[string]*string{}, wrongHashes: map[string]bool{},
	}
}

// Tags sets the tags of the file name and of WHEEL: "cp311-cp311-manylinux_2_17_x86_64". Each may be several joined by
// dots.
func (b *Builder) Tags(tags string) *Builder { b.tags = tags; return b }

// Build sets the build tag.
func (b *Builder) Build(tag string) *Builder { b.build = tag; return b }

// File adds a file.
func (b *Builder) File(path, content string) *Builder {
	return b.Member(Member{Name: path, Content: content})
}

// Executable adds a file with mode 0755.
func (b *Builder) Executable(path, content string) *Builder {
	return b.Member(Member{Name: path, Content: content, Mode: 0o755})
}

// Stored adds a file that is not compressed.
func (b *Builder) Stored(path, content string) *Builder {
	return b.Member(Member{Name: path, Content: content, Method: Store})
}

// Symlink adds a symbolic link as zip writes one: its target is the content.
func (b *Builder) Symlink(path, target string) *Builder {
	return b.Member(Member{Name: path, Content: target, Method: Store, Mode: 0o777 | os.ModeSymlink})
}

// Dir adds a directory member.
func (b *Builder) Dir(path string) *Builder {
	return b.Member(Member{Name: strings.TrimSuffix(path, "/") + "/", Method: Store, Mode: 0o755 | os.ModeDir})
}

// Data adds a file to the .data directory: key is scripts, data, headers, purelib, platlib or something wrong.
func (b *Builder) Data(key, path, content string) *Builder {
	return b.File(b.stem()+".data/"+key+"/"+path, content)
}

// Member adds a member whose header may say anything.
func (b *Builder) Member(m Member) *Builder { b.members = append(b.members, m); return b }

// EntryPoint adds a console script; ref is "module:function".
func (b *Builder) EntryPoint(name, ref string) *Builder {
	b.console = append(b.console, name+" = "+ref)
	return b
}

// GUIEntryPoint adds a gui script.
func (b *Builder) GUIEntryPoint(name, ref string) *Builder {
	b.gui = append(b.gui, name+" = "+ref)
	return b
}

// Requires adds a Requires-Dist header.
func (b *Builder) Requires(requirement string) *Builder {
	return b.Header("Requires-Dist: " + requirement)
}

// Header adds a line to METADATA.
func (b *Builder) Header(line string) *Builder { b.metadata = append(b.metadata, line); return b }

// DistInfo replaces a file of the dist-info directory that would be generated (METADATA, WHEEL, RECORD,
// entry_points.txt), or adds another one.
func (b *Builder) DistInfo(name, content string) *Builder {
	if !slices.Contains(generated, name) {
		return b.File(b.distInfo()+name, content)
	}
	b.replaced[name] = &content
	return b
}

// Without leaves out a generated file of the dist-info directory.
func (b *Builder) Without(name string) *Builder { b.replaced[name] = nil; return b }

// NoRecord leaves RECORD out.
func (b *Builder) NoRecord() *Builder { return b.Without("RECORD") }

// WrongRecordHash makes RECORD lie about a file.
func (b *Builder) WrongRecordHash(path string) *Builder { b.wrongHashes[path] = true; return b }

// Comment sets the archive's comment.
func (b *Builder) Comment(s string) *Builder { b.comment = s; return b }

// Trailing appends bytes after the end of the archive.
func (b *Builder) Trailing(s string) *Builder { b.trailing = s; return b }

// generated are the files that a Builder makes itself, in the order of the archive.
var generated = []string{"METADATA", "WHEEL", "entry_points.txt", "RECORD"}

// stem is the NAME-VERSION that begins the dist-info directory, escaped as PEP 427 wants it.
func (b *Builder) stem() string {
	escape := strings.NewReplacer("-", "_")
	return escape.Replace(b.name) + "-" + escape.Replace(b.version)
}

func (b *Builder) distInfo() string { return b.stem() + ".dist-info/" }

// Filename is the wheel's file name.
func (b *Builder) Filename() string {
	build := ""
	if b.build != "" {
		build = "-" + b.build
	}
	return b.stem() + build + "-" + b.tags + ".whl"
}

// Bytes is the wheel.
func (b *Builder) Bytes() []byte {
	members := slices.Clone(b.members)
	for _, name := range generated {
		content, replaced := b.replaced[name]
		switch {
		case replaced && content == nil:
			continue
		case !replaced:
			text := b.generate(name, members)
			if text == "" {
				continue
			}
			content = &text
		}
		members = append(members, Member{Name: b.distInfo() + name, Content: *content})
	}
	return append(Archive(b.comment, members...), b.trailing...)
}

// generate is the content of a generated file; members are those before it.
func (b *Builder) generate(name string, members []Member) string {
	var s strings.Builder
	switch name {
	case "METADATA":
		fmt.Fprintf(&s, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", b.name, b.version)
		for _, line := range b.metadata {
			s.WriteString(line + "\n")
		}
	case "WHEEL":
		pure := strings.HasSuffix(b.tags, "-none-any")
		fmt.Fprintf(&s, "Wheel-Version: 1.0\nGenerator: testwheel\nRoot-Is-Purelib: %t\n", pure)
		for _, tag := range expand(b.tags) {
			s.WriteString("Tag: " + tag + "\n")
		}
	case "entry_points.txt":
		for _, section := range []struct {
			name  string
			lines []string
		}{{"console_scripts", b.console}, {"gui_scripts", b.gui}} {
			if len(section.lines) > 0 {
				s.WriteString("[" + section.name + "]\n" + strings.Join(section.lines, "\n") + "\n")
			}
		}
	case "RECORD":
		for _, m := range members {
			if strings.HasSuffix(m.Name, "/") {
				continue
			}
			content := m.Content
			if b.wrongHashes[m.Name] {
				content += " and more"
			}
			sum := sha256.Sum256([]byte(content))
			fmt.Fprintf(&s, "%s,sha256=%s,%d\n", csvField(m.Name), base64.RawURLEncoding.EncodeToString(sum[:]), len(m.Content))
		}
		s.WriteString(csvField(b.distInfo()+"RECORD") + ",,\n")
	}
	return s.String()
}

// expand multiplies compressed tags out, as WHEEL lists them.
func expand(tags string) []string {
	parts := strings.Split(tags, "-")
	if len(parts) != 3 {
		return []string{tags}
	}
	var out []string
	for _, py := range strings.Split(parts[0], ".") {
		for _, abi := range strings.Split(parts[1], ".") {
			for _, platform := range strings.Split(parts[2], ".") {
				out = append(out, py+"-"+abi+"-"+platform)
			}
		}
	}
	return out
}

func csvField(s string) string {
	if strings.ContainsAny(s, "\",\r\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// Size is the wheel's size as text, as a lock file has it.
func (b *Builder) Size() string { return strconv.Itoa(len(b.Bytes())) }

// SHA256 is the wheel's digest in hexadecimal.
func (b *Builder) SHA256() string {
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}

// Write writes the wheel into dir under its file name and returns the path.
func (b *Builder) Write(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, b.Filename())
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatalf("write test wheel: %v", err)
	}
	return path
}
