package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vpk/internal/peer"
)

// situation is something that uv refuses, and what it names when it does: a file of testdata/messages. Its comment has lines
//
//	flags: FLAGS       of both
//	uv: COMMAND FLAGS  in place of "sync --frozen"
//	vpk: FLAGS         of vpk plan, in place of "--frozen"
//	facts: A | B       what uv names, and vpk too
//	ours: A | B        what vpk says beyond that
//	aside: A | B       what uv quotes that is no fact of the situation
//
// In its uv.lock "@NAME VERSION [TAGS...]" is a package of an index, with a wheel for each set of tags, and "@NAME virtual" the
// project.
type situation struct {
	flags, uv, vpk     []string
	facts, ours, aside []string
	dir                string
}

func loadSituation(t *testing.T, path string) situation {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := situation{dir: t.TempDir(), uv: []string{"sync", "--frozen"}, vpk: []string{"--frozen"}}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "flags":
			s.flags = strings.Fields(value)
		case "uv":
			s.uv = strings.Fields(value)
		case "vpk":
			s.vpk = strings.Fields(value)
		case "facts":
			s.facts = append(s.facts, strings.Split(value, " | ")...)
		case "ours":
			s.ours = append(s.ours, strings.Split(value, " | ")...)
		case "aside":
			s.aside = append(s.aside, strings.Split(value, " | ")...)
		}
	}
	for _, f := range archive.Files {
		if f.Name == "uv.lock" {
			f.Data = []byte(expandLock(string(f.Data)))
		}
		name := filepath.Join(s.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func expandLock(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case !strings.HasPrefix(line, "@"):
			out.WriteString(line)
		case words[1] == "virtual":
			fmt.Fprintf(&out, "[[package]]\nname = %q\nversion = \"1.0\"\nsource = { virtual = \".\" }\n", words[0][1:])
		default:
			name, version, tags := words[0][1:], words[1], words[2:]
			if len(tags) == 0 {
				tags = []string{"py3-none-any"}
			}
			fmt.Fprintf(&out, "[[package]]\nname = %q\nversion = %q\nsource = { registry = \"https://index.example/simple\" }\nwheels = [\n", name, version)
			for _, tag := range tags {
				file := fmt.Sprintf("%s-%s-%s.whl", name, version, tag)
				fmt.Fprintf(&out, "    { url = \"https://index.example/files/%s\", hash = \"sha256:%x\", size = 1000 },\n", file, sha256.Sum256([]byte(file)))
			}
			out.WriteString("]\n")
		}
	}
	return out.String()
}

// askUV is what uv says, and whether it fails.
func (s situation) askUV(t *testing.T, uv, python string) (said string, failed bool) {
	t.Helper()
	args := slices.Concat(s.uv, []string{"--offline", "--no-cache", "--color", "never", "--python", python}, s.flags)
	if s.uv[0] == "sync" {
		args = append(args, "--dry-run", "--no-dev", "--python-platform", "x86_64-manylinux_2_36")
	}
	cmd := exec.CommandContext(t.Context(), uv, args...)
	cmd.Dir = s.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "UV_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	cmd.Env = append(cmd.Env, "UV_PYTHON_DOWNLOADS=never", "XDG_CONFIG_HOME="+none, "XDG_CONFIG_DIRS="+none, "COLUMNS=10000")
	out, err := cmd.CombinedOutput()
	return strings.ReplaceAll(reason(string(out)), s.dir+string(filepath.Separator), ""), err != nil
}

// askVPK is what vpk plan says, and its exit code.
func (s situation) askVPK(t *testing.T, python string) (said string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	none := t.TempDir()
	getenv := func(name string) string {
		if name == "VPK_CACHE_DIR" {
			return none
		}
		return ""
	}
	args := slices.Concat([]string{"plan", s.dir, "--python-version", python, "--python-platform", "x86_64-manylinux_2_36"}, s.vpk, s.flags)
	code = run(args, streams{in: strings.NewReader(""), out: &out, err: &errs, getenv: getenv, environ: func() []string { return []string{"VPK_CACHE_DIR=" + none} }})
	return strings.ReplaceAll(errs.String(), s.dir+string(filepath.Separator), ""), code
}

var (
	quotedByUV = regexp.MustCompile("`([^`\n]+)`")
	// A package is NAME==VERSION @ KIND+LOCATION, and perhaps an extra or a group of it.
	identity = regexp.MustCompile(`==| @ (?:registry|git|direct|path|directory|editable|virtual)\+|\[|\]$|:(\w+)$|#`)
)

// asides are what uv quotes that is no fact: its own flags and commands.
var asides = []string{
	"--frozen", "--locked", "--no-build", "uv lock", "uv sync", "UV_SKIP_WHEEL_FILENAME_CHECK=1",
}

// quoted are the words that uv quotes, packages in their parts.
func (s situation) quoted(said string) []string {
	var facts []string
	for _, m := range quotedByUV.FindAllStringSubmatch(said, -1) {
		if slices.Contains(asides, m[1]) || slices.Contains(s.aside, m[1]) {
			continue
		}
		if len(strings.Fields(m[1])) == 3 && strings.Contains(m[1], " @ ") || strings.Contains(m[1], "==") && !strings.Contains(m[1], " ") {
			facts = append(facts, identity.Split(m[1], -1)...)
		} else {
			facts = append(facts, m[1])
		}
	}
	return facts
}

// plain is a text without quotes and the spaces that uv puts between specifiers.
func plain(text string) string {
	return strings.NewReplacer(`"`, "", "`", "", ", ", ",").Replace(text)
}

// reason is the part of what uv says that is about the lock: not how it looks for Python, nor how it then resolves.
func reason(said string) string {
	var lines []string
	kept := true
	for line := range strings.Lines(said) {
		switch {
		case strings.Contains(line, "existing lockfile due to"):
			kept = true
		case strings.HasPrefix(line, "DEBUG "), strings.HasPrefix(line, "Using CPython"), strings.HasPrefix(line, "Would "), strings.HasPrefix(line, "  × "):
			kept = false
		case strings.HasPrefix(line, "error: "):
			kept = true
		}
		if kept {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestMessagesLikeUV puts uv and vpk into the same trouble: whatever uv names, vpk has to name too.
func TestMessagesLikeUV(t *testing.T) {
	uv, interpreter := peer.UV(t), peer.Python(t)
	python := peer.PythonVersion(t, interpreter)
	files, err := filepath.Glob("testdata/messages/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d situations: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := loadSituation(t, file)
			theirs, failed := s.askUV(t, uv, interpreter)
			ours, code := s.askVPK(t, python)
			if !failed || code == 0 {
				t.Errorf("uv failed: %t, vpk's exit code: %d", failed, code)
			}
			for _, fact := range s.facts {
				if !strings.Contains(plain(theirs), plain(fact)) {
					t.Errorf("uv does not name %s", fact)
				}
			}
			for _, fact := range slices.Concat(s.facts, s.ours, s.quoted(theirs)) {
				if !strings.Contains(plain(ours), plain(fact)) {
					t.Errorf("vpk does not name %s", fact)
				}
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("uv:\n%s\nvpk: (%d)\n%s", theirs, code, ours)
			}
		})
	}
}
