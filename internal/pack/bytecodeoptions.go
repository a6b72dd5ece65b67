package pack

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/patternmatcher"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/venv/tree"
)

// bytecodeOptions is [tool.vpk.bytecode] with patterns that are proven.
type bytecodeOptions struct{ config.Bytecode }

func newBytecodeOptions(c config.Bytecode) (bytecodeOptions, error) {
	for _, p := range slices.Concat(c.Include, c.Exclude) {
		// Without the "!", so that matching compiles it: a pattern is compiled when it is first needed.
		m, err := patternmatcher.New([]string{strings.TrimPrefix(p, "!")})
		if err == nil {
			_, err = m.MatchesOrParentMatches("a.py")
		}
		if err != nil {
			return bytecodeOptions{}, fault.New(fault.Usage, "patterns are as in .dockerignore", "pattern %q of [tool.vpk.bytecode]: %w", p, err)
		}
	}
	return bytecodeOptions{c}, nil
}

// enabled says whether there is to be bytecode at all.
func (o bytecodeOptions) enabled() bool { return o.Enabled == nil || *o.Enabled }

// sourceless says whether wheels' modules that have bytecode lose their source.
func (o bytecodeOptions) sourceless() bool { return o.Sources != nil && !*o.Sources }

// environment is a project's environment with the level at which the interpreter takes this bytecode, unless it says that itself.
func (o bytecodeOptions) environment(own map[string]string) map[string]string {
	const name = "PYTHONOPTIMIZE"
	if _, ok := own[name]; ok || o.Optimize == 0 {
		return own
	}
	env := map[string]string{name: strconv.Itoa(o.Optimize)}
	maps.Copy(env, own)
	return env
}

// choose is what of a part is to be compiled, and how many modules of it are not. Patterns are about paths below root: of
// wheels what is imported, such as "pandas/tests", of the project its own files.
func (o bytecodeOptions) choose(part tree.Part, root string) (chosen tree.Part, left int, err error) {
	in, err := newPatterns(o.Include)
	if err != nil {
		return tree.Part{}, 0, err
	}
	out, err := newPatterns(o.Exclude)
	if err != nil {
		return tree.Part{}, 0, err
	}
	chosen = part
	chosen.Entries = nil
	for _, e := range part.Entries {
		name := strings.TrimPrefix(e.Path, root+"/")
		wanted, err := in.match(name, true)
		if err != nil {
			return tree.Part{}, 0, err
		}
		unwanted, err := out.match(name, false)
		if err != nil {
			return tree.Part{}, 0, err
		}
		switch {
		case wanted && !unwanted:
			chosen.Entries = append(chosen.Entries, e)
		case strings.HasSuffix(e.Path, ".py"):
			left++
		}
	}
	return chosen, left, nil
}

// patterns are not safe for concurrent use: they are compiled as they are needed.
type patterns struct {
	matcher *patternmatcher.PatternMatcher
}

func newPatterns(list []string) (patterns, error) {
	if len(list) == 0 {
		return patterns{}, nil
	}
	m, err := patternmatcher.New(list)
	return patterns{m}, err
}

// match says whether a path, or a directory that it is in, matches; without patterns the answer is empty.
func (p patterns) match(path string, empty bool) (bool, error) {
	if p.matcher == nil {
		return empty, nil
	}
	return p.matcher.MatchesOrParentMatches(path)
}
