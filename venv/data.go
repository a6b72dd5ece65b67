package venv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"vpk/wheel"
)

// placeData places a member of the .data directory; rest is its path there, such as "scripts/run" (PEP 427; uv:
// wheel.rs:589). An error is one of reading.
func (in *installation) placeData(m wheel.Member, rest string) error {
	key, name, ok := strings.Cut(rest, "/")
	if !ok {
		key = "" // a file in the place of a directory
	}
	switch key {
	case "data":
		in.place(name, in.member(m))
	case "headers":
		in.place(path.Join("include/site/python"+in.spec.Python.Short(), in.name, name), in.member(m))
	case "platlib", "purelib":
		in.place(path.Join(in.site, name), in.member(m))
	case "scripts":
		return in.placeDataScript(m, name)
	default:
		in.problem("%q is of a kind that .data cannot have: data, headers, platlib, purelib or scripts", m.Name())
	}
	return nil
}

// placeDataScript places a script that a wheel brings ready-made. It becomes executable, and its first line, if it is
// `#!python…`, names the environment's interpreter. One that an entry point replaces is left out.
func (in *installation) placeDataScript(m wheel.Member, name string) error {
	if in.replaced(name) {
		return nil
	}
	if err := checkScriptName(name); err != nil {
		in.problem("%q: %v", m.Name(), err)
		return nil
	}
	p := in.member(m)
	p.mode = 0o755
	rewrite, err := beginsWith(m, placeholder)
	if err != nil {
		return fmt.Errorf("install %s: read %q: %w", in.wheel.Filename, m.Name(), err)
	}
	if rewrite {
		data, err := in.wheel.ReadFile(m.Name(), maxText)
		if err != nil {
			return fmt.Errorf("install %s: %w", in.wheel.Filename, err)
		}
		p = generated(0o755, setInterpreter(data, in.spec.shebang()))
	}
	in.place("bin/"+name, p)
	return nil
}

// placeholder begins a script that is written for whichever interpreter it is installed for (PEP 427).
const placeholder = "#!python"

// setInterpreter replaces the whole first line, arguments too. Of a line end "\r\n" only the first byte goes, as in uv.
func setInterpreter(script []byte, shebang string) []byte {
	rest := []byte(nil)
	if i := bytes.IndexAny(script, "\r\n"); i >= 0 {
		rest = script[i+1:]
	}
	return slices.Concat([]byte(shebang), rest)
}

// replaced says whether an entry point takes the place of a script, which may be called by the names of old launchers.
func (in *installation) replaced(name string) bool {
	for _, suffix := range []string{".exe", "-script.py", ".pya"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok {
			name = stem
			break
		}
	}
	return slices.ContainsFunc(in.scripts, func(s script) bool { return s.name == name })
}

func beginsWith(m wheel.Member, prefix string) (bool, error) {
	r, err := m.Open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	start := make([]byte, len(prefix))
	_, err = io.ReadFull(r, start)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return err == nil && string(start) == prefix, err
}
