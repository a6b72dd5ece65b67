package config

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"vpk/lockfile/pep508"
)

// Layers says how packages share layers: a mode, as in layers = "single", or groups, as in
//
//	[tool.vpk.layers]
//	machine-learning = ["torch*", "nvidia-*"]
type Layers struct {
	Mode   string  // "auto", "single", "per-package"; empty is auto
	Groups []Group // sorted by name
}

// Group is a layer for the packages that its patterns match: those of path.Match on normalised names.
type Group struct {
	Name     string
	Patterns []string // normalised but for *, ? and [ ]
}

var modes = []string{"auto", "single", "per-package"}

// layers reads what the key holds.
func layers(value any) (l Layers, problems []problem) {
	bad := func(format string, args ...any) {
		problems = append(problems, problem{[]any{"layers"}, fmt.Errorf(format, args...)})
	}
	switch v := value.(type) {
	case nil:
	case string:
		if l.Mode = v; !slices.Contains(modes, v) {
			bad("layers %q is none of %s, nor a table of groups", v, strings.Join(modes, ", "))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			g, err := newGroup(name, v[name])
			if err != nil {
				problems = append(problems, problem{[]any{"layers", name}, err})
			}
			l.Groups = append(l.Groups, g)
		}
	default:
		bad("layers is neither a word (%s) nor a table of groups", strings.Join(modes, ", "))
	}
	return l, problems
}

// newGroup reads one group: a pattern or an array of them.
func newGroup(name string, value any) (Group, error) {
	g := Group{Name: name}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 {
		return g, fmt.Errorf("layer %q has no packages", name)
	}
	if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return g, errors.New("the name of a layer is empty, or has a character that cannot be shown")
	}
	for _, each := range list {
		text, ok := each.(string)
		if !ok {
			return g, fmt.Errorf("layer %q: %v is no name of packages", name, each)
		}
		pattern := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(text))
		if _, err := path.Match(pattern, ""); err != nil || text == "" {
			return g, fmt.Errorf("layer %q: %q is no pattern for names of packages", name, text)
		}
		g.Patterns = append(g.Patterns, pattern)
	}
	return g, nil
}

// Match says whether the group is for a package.
func (g Group) Match(name string) bool {
	name = pep508.NormalizeName(name)
	return slices.ContainsFunc(g.Patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
