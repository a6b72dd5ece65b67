package project

import (
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"vpk/internal/fault"
)

// fixed is what is never packed unless it is asked for by name.
var fixed = []string{"**/uv.lock", "**/__pycache__", "**/*.pyc", "**/.env*", "**/.vpk-*", "**/.*.vpk-*"}

// names says whether a component of a pattern spells a name that fixed leaves out.
func names(component string) bool {
	return component == "uv.lock" || component == "__pycache__" || strings.HasSuffix(component, ".pyc") ||
		strings.HasPrefix(component, ".env") || strings.HasPrefix(component, ".") && strings.Contains(component, ".vpk-")
}

// never are the names that no pattern brings back.
var never = []string{".git", ".venv"}

// imageMarker is the file that marks a directory as an OCI image layout.
const imageMarker = "oci-layout"

// filter says which paths of the project are left out: those that any of its matchers leaves out. It is not safe for
// concurrent use.
type filter struct {
	matchers []matcher
	images   []string // directories with an image that come back
}

// matched is what is known of a directory, for its children: one for each matcher.
type matched []patternmatcher.MatchInfo

func newFilter(o Options) (filter, error) {
	scopes := []Member{{Dir: ".", Ignore: o.Ignore, Include: o.Include, Exclude: o.Exclude}}
	for _, m := range o.Members {
		if m.Packed {
			scopes = append(scopes, m)
		}
	}
	slices.SortFunc(scopes[1:], func(a, b Member) int { return strings.Compare(a.Dir, b.Dir) })
	var f filter
	builtin, left := slices.Clone(fixed), []string(nil)
	var lists [][]string
	for i, m := range scopes {
		ignore, include, exclude, err := m.patterns()
		if err != nil {
			return filter{}, err
		}
		left = slices.Concat(left, ignore, exclude)
		for _, p := range slices.Concat(ignore, include, exclude) {
			if exception, ok := strings.CutPrefix(p, "!"); ok {
				f.images = append(f.images, exception)
				if slices.ContainsFunc(strings.Split(exception, "/"), names) {
					builtin = append(builtin, p)
				}
			}
		}
		if len(include) == 0 {
			continue
		}
		list := append([]string{m.prefixed("**")}, include...)
		for _, nested := range scopes[1:] { // which have words of their own
			if nested.Dir != m.Dir && (i == 0 || strings.HasPrefix(nested.Dir, m.Dir+"/")) {
				list = append(list, "!"+escape(nested.Dir))
			}
		}
		lists = append(lists, list)
	}
	for _, patterns := range slices.Concat([][]string{builtin, left}, lists) {
		m, err := newMatcher(patterns)
		if err != nil {
			return filter{}, err
		}
		f.matchers = append(f.matchers, m)
	}
	return f, nil
}

// patterns are those of a member, with paths from the root. What is to be included comes with a "!".
func (m Member) patterns() (ignore, include, exclude []string, err error) {
	at := func(file string) string {
		if m.Dir == "." {
			return file
		}
		return file + " of " + m.Dir
	}
	lists := [][]string{m.Ignore, m.Include, m.Exclude}
	for i, source := range []string{".dockerignore", "include", "exclude"} {
		if lists[i], err = parse(at(source), lists[i]); err != nil {
			return nil, nil, nil, err
		}
	}
	ignore, include, exclude = lists[0], lists[1], lists[2]
	for i, p := range include {
		if p[0] == '!' {
			return nil, nil, nil, fault.New(fault.Usage, "write it without the ! under exclude", "%s pattern %q begins with !", at("include"), p)
		}
		include[i] = "!" + p
	}
	for _, list := range lists {
		for i, p := range list {
			list[i] = m.prefixed(p)
		}
	}
	return ignore, include, exclude, nil
}

// prefixed is a pattern of the member as seen from the root.
func (m Member) prefixed(pattern string) string {
	if m.Dir == "." {
		return pattern
	}
	rest, exception := strings.CutPrefix(pattern, "!")
	rest = escape(m.Dir) + "/" + rest
	if exception {
		return "!" + rest
	}
	return rest
}

// escape makes a path a pattern that matches it alone.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// parse cleans patterns as .dockerignore does (comments, blank lines, leading slashes) and proves each of them.
func parse(source string, lines []string) ([]string, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, fault.New(fault.Usage, "", "read patterns of %s: %w", source, err)
	}
	for _, p := range patterns {
		// Without the "!", so that matching compiles it: a pattern is compiled when it is first needed.
		m, err := patternmatcher.New([]string{strings.TrimPrefix(p, "!")})
		if err == nil {
			_, err = m.MatchesOrParentMatches("a")
		}
		if err != nil || p == "!" {
			return nil, fault.New(fault.Usage, "", "read patterns of %s: %q is not a pattern", source, p)
		}
	}
	return patterns, nil
}

// look says of a path whether it is left out, and, if it is a directory, whether something below it may not be. The
// parent's info comes in, nil at the top; the path's own goes out.
func (f filter) look(p string, parent matched) (out, enter bool, own matched, err error) {
	own = make(matched, len(f.matchers))
	if parent == nil {
		parent = make(matched, len(f.matchers))
	}
	enter = true
	for i, m := range f.matchers {
		var matches bool
		if matches, own[i], err = m.MatchesUsingParentResults(p, parent[i]); err != nil {
			return false, false, nil, err
		}
		out = out || matches
		enter = enter && (!matches || m.mayReturn(p))
	}
	return out, enter, own, nil
}

// imageReturns says whether a directory that holds an image was asked for by name.
func (f filter) imageReturns(dir string) bool { return slices.Contains(f.images, dir) }

// matcher is a list of patterns in order. Of its methods, MatchesUsingParentResults is what BuildKit's walk calls.
type matcher struct {
	*patternmatcher.PatternMatcher
	// exceptions are the patterns that were written with `!`, split at slashes.
	exceptions [][]string
}

func newMatcher(patterns []string) (matcher, error) {
	pm, err := patternmatcher.New(patterns)
	if err != nil {
		return matcher{}, err
	}
	m := matcher{PatternMatcher: pm}
	for _, p := range pm.Patterns() {
		if p.Exclusion() {
			m.exceptions = append(m.exceptions, strings.Split(p.String(), "/"))
		}
	}
	return m, nil
}

// mayReturn says whether any exception could match below a directory that is left out. A component with a wildcard
// could be anything.
func (m matcher) mayReturn(dir string) bool {
	parts := strings.Split(dir, "/")
	return slices.ContainsFunc(m.exceptions, func(pattern []string) bool {
		for i, p := range pattern {
			switch {
			case strings.ContainsAny(p, `*?[\`):
				return true
			case i == len(parts):
				return true
			case p != parts[i]:
				return false
			}
		}
		return false
	})
}
