package venv

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// script is one entry point that becomes a program: name = module:function.
type script struct{ name, module, function string }

// reference is the value of an entry point. Word characters are Unicode's, as in Python's and Rust's expressions; extras in
// brackets are allowed and ignored (uv: script.rs:36).
var reference = regexp.MustCompile(`^([\pL\pM\p{Nl}\p{Nd}\p{Pc}.\-]+)\s*:\s*([\pL\pM\p{Nl}\p{Nd}\p{Pc}.\-]+)(?:\s*\[\s*(?:[^,]+,?\s*)+\])?\s*$`)

// parseScripts reads the scripts of entry_points.txt, sorted by name, each name once. All that is wrong is reported.
//
// The dialect is that of the Rust crate configparser as uv calls it (script.rs:67): case matters; lines are trimmed and
// cut at the first ';' or '#'; a line in brackets begins a section, which may come again; the first '=' or ':' ends a key;
// nothing continues a line; of a key that comes twice the last counts, and gui_scripts come after console_scripts. A
// byte order mark hides what is on the first line. Other sections are not looked into.
//
// Of pip only the launchers pip and pip3 are taken, and pip3.N is made for this Python (script.rs:92).
func parseScripts(data []byte, pythonMinor int) ([]script, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	sections, err := parseINI(string(data))
	if err != nil {
		return nil, err
	}
	scripts := map[string]script{}
	var problems []string
	for _, section := range []string{"console_scripts", "gui_scripts"} {
		for name, value := range sections[section] {
			s, err := newScript(name, value)
			switch {
			case err != nil:
				problems = append(problems, err.Error())
			case section == "console_scripts" && isVersionedPip(name):
			default:
				scripts[name] = s
			}
		}
		if pip, ok := scripts["pip3"]; ok && section == "console_scripts" {
			pip.name = "pip3." + strconv.Itoa(pythonMinor)
			scripts[pip.name] = pip
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	sorted := make([]script, 0, len(scripts))
	for _, s := range scripts {
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b script) int { return strings.Compare(a.name, b.name) })
	return sorted, nil
}

func newScript(name string, value *string) (script, error) {
	if value == nil {
		return script{}, fmt.Errorf("script %q has no value", name)
	}
	if err := checkScriptName(name); err != nil {
		return script{}, err
	}
	m := reference.FindStringSubmatch(*value)
	if m == nil {
		return script{}, fmt.Errorf("script %q is %q, want MODULE:FUNCTION", name, *value)
	}
	return script{name, m[1], m[2]}, nil
}

// checkScriptName refuses names that would leave bin or take the place of an interpreter.
func checkScriptName(name string) error {
	switch {
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return fmt.Errorf("script name %q is a path", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("script name %q has a control character", name)
	case reserved(name):
		return fmt.Errorf("script name %q is reserved for the interpreter", name)
	}
	return nil
}

// reserved are python, pythonw, python3 and python3.N (uv: wheel.rs:201).
func reserved(name string) bool {
	minor, versioned := strings.CutPrefix(name, "python3.")
	return name == "python" || name == "pythonw" || name == "python3" || versioned && isNumber(minor)
}

func isVersionedPip(name string) bool {
	minor, ok := strings.CutPrefix(name, "pip3.")
	return ok && isNumber(minor)
}

// isNumber is what Rust's u8 parses, less the sign.
func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 8)
	return err == nil
}

// parseINI gives the keys of each section; a key without a delimiter has no value.
func parseINI(text string) (map[string]map[string]*string, error) {
	sections := map[string]map[string]*string{}
	section := map[string]*string{} // what comes before the first section
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(strings.TrimSpace(line), ";")
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if line[0] == '[' {
			end := strings.LastIndexByte(line, ']')
			if end < 0 {
				return nil, fmt.Errorf("line %d: a section's name has no closing bracket", n)
			}
			name := strings.TrimSpace(line[1:end])
			if sections[name] == nil {
				sections[name] = map[string]*string{}
			}
			section = sections[name]
			continue
		}
		i := strings.IndexAny(line, "=:")
		if i == 0 {
			return nil, fmt.Errorf("line %d: there is no key", n)
		}
		if i < 0 {
			section[line] = nil
			continue
		}
		value := strings.TrimSpace(line[i+1:])
		section[strings.TrimSpace(line[:i])] = &value
	}
	return sections, nil
}

// launcher is the program that an entry point becomes; shebang is its first line (uv: wheel.rs:33).
func (s script) launcher(shebang string) []byte {
	imported, _, _ := strings.Cut(s.function, ".")
	var b bytes.Buffer
	b.WriteString(shebang)
	b.WriteString("# -*- coding: utf-8 -*-\nimport sys\n")
	fmt.Fprintf(&b, "from %s import %s\n", s.module, imported)
	b.WriteString("if __name__ == \"__main__\":\n")
	b.WriteString("    if sys.argv[0].endswith(\"-script.pyw\"):\n        sys.argv[0] = sys.argv[0][:-11]\n")
	b.WriteString("    elif sys.argv[0].endswith(\".exe\"):\n        sys.argv[0] = sys.argv[0][:-4]\n")
	fmt.Fprintf(&b, "    sys.exit(%s())\n", s.function)
	return b.Bytes()
}
