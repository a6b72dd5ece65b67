package lockfile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"vpk/internal/peer"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
)

// spot is one value of a TOML document.
type spot struct {
	key   string // the last key on the way there
	value any
	put   func(any)
	// drop takes the value out of its table or array.
	drop func()
	// table holds it, where it is in one.
	table map[string]any
}

// spots are all values of a document below a table, in an order that depends on the document alone.
func spots(table map[string]any) []spot {
	var list []spot
	for _, key := range slices.Sorted(maps.Keys(table)) {
		put := func(v any) { table[key] = v }
		list = append(list, spot{key, table[key], put, func() { delete(table, key) }, table})
		list = append(list, below(key, table[key], put)...)
	}
	return list
}

func below(key string, value any, put func(any)) []spot {
	switch value := value.(type) {
	case map[string]any:
		return spots(value)
	case []any:
		var list []spot
		for i := range value {
			set := func(v any) {
				changed := slices.Clone(value)
				changed[i] = v
				put(changed)
			}
			drop := func() { put(slices.Delete(slices.Clone(value), i, i+1)) }
			list = append(list, spot{key: key, value: value[i], put: set, drop: drop})
			list = append(list, below(key, value[i], func(v any) { value[i] = v })...)
		}
		return list
	}
	return nil
}

// oddValues are put in place of others.
var oddValues = []any{
	int64(0), int64(-1), int64(1), int64(1) << 40, 1.5, true, false, "", " ", "x", []any{}, map[string]any{}, []any{int64(0)}, []any{"x"}, []any{[]any{}},
	map[string]any{"x": "y"}, toml.LocalDate{Year: 2026, Month: 1, Day: 1},
}

// oddStrings are by the key whose values they replace.
var oddStrings = map[string][]string{
	"name":    {"", "-a", "a b", "A.b", "a_", "é", "a--b", "a[x]", "A", "alpha", "root"},
	"package": {"", "-a", "A", "root", "nope"},
	"extra":   {"", "-a", "x", "X", "nope", "a b"},
	"version": {"", "1", "1.0", "1.0.0", "01.0", "1.0+x", "1.0+X.y", "not", "1.0.post1", "v1.0", " 1.0", "1!1.0", "1.0.*", "1.0rc1", "1.0-1"},
	"marker": {
		"", "  ", "python_version", "extra == 'x'", "extra == 'extra-4-root-cpu'", "python_full_version < '3'", "os_name == 1", "sys_platform == 'linux' and",
		"python_version in '3.11 3.12'", "'x' == 'y'", "platform_machine ~= '1'", "python_version == '3.11'", "os_name == 'nt' or os_name == 'posix'",
		"nope == 'x'", "(os_name == 'posix'", "python_full_version >= '3.10'", "sys_platform == \"linux\"", "platform_release >= '5'",
	},
	"hash":            {"", ":", "sha256", "sha256:", "sha256:zz", "sha1:00", "SHA256:00", "md5:d41d8cd98f00b204e9800998ecf8427e", " sha256:00"},
	"url":             {"", "x", "a-1.0-py3-none-any.whl", "https://h.example/", "https://h.example/a-1.0-py3-none-any.whl#f", "https://h.example/a-1.0-py3-none-any.whl?q=/b", "file:///a-1.0-py3-none-any.whl", "https://h.example/a-1.0-py3-none.whl", "https://h.example/a-1.0-py3-none-any.WHL", "https://h.example/a-1.0-py3-none-any.whl/", "https://h.example/a%2D1.0-py3-none-any.whl", "https://h.example/%zz-1.0-py3-none-any.whl", "https://h.example/%ff-1.0-py3-none-any.whl"},
	"path":            {"", ".", "/", "x", "a/b-1.0-py3-none-any.whl", "../x.tar.gz", "x.whl"},
	"filename":        {"", "x", "a-1.0-py3-none-any.whl", "b/a-1.0-py3-none-any.whl"},
	"registry":        {"", "x", "https://other.example/simple", "https://", "file:///x", "//", "ftp://x/y"},
	"git":             {"", "x", "https://git.example/x", "https://git.example/x#0123", "https://git.example/x#0123456789012345678901234567890123456789", "https://git.example/x?rev=a&subdirectory=b#0123456789012345678901234567890123456789"},
	"virtual":         {"", ".", "./", "x", "/x", "x/.."},
	"editable":        {"", ".", "./", "x", "/x"},
	"directory":       {"", ".", "./", "x", "/x"},
	"requires-python": {"", " ", ">=3", "3.11", ">=3.10,", ",>=3.10", "~=3", "~=3.10", "==3.*", "*", ">=3.10;", ">=3.12", "<3.11", "==3.11", ">3.10", ">=3.10,!=3.11.0", ">=3.10 , <4", "===3.11.0", ">=3.11.0rc1", "!=3.11.*"},
	"specifier":       {"", ">=1", "1", ">=", "*", "==1.*", ">=1 ;"},
	"size":            {"1"},
	"upload-time":     {"", "2026-01-01", "2026-01-01T00:00:00Z", "x"},
	"index":           {"", "x", "https://other.example/simple"},
	"resolution-mode": {"", "highest", "lowest", "Lowest", "x"}, "prerelease-mode": {"allow", "x", ""}, "fork-strategy": {"fewest", "x"},
	"exclude-newer": {"", "2026-01-01", "2026-01-01T00:00:00Z", "x", "1 week"}, "exclude-newer-span": {"", "P1W", "x", "P1M", "1 week"},
}

// oddKeys are written beside or in place of others.
var oddKeys = []string{
	"distribution", "package", "dependency-groups", "dev-dependencies", "requires-dev", "upload_time", "future", "url", "path", "filename", "registry", "git",
	"virtual", "editable", "directory", "marker", "extra", "extras", "hash", "size", "version", "source", "sdist", "subdirectory", "group", "conflict", "index",
}

// mutate changes one thing in a document.
func mutate(chance *rand.Rand, document map[string]any) {
	all := spots(document)
	// Of the many values of a large lock each key is as likely as any other.
	keys := map[string][]spot{}
	for _, s := range all {
		keys[s.key] = append(keys[s.key], s)
	}
	pick := func() spot {
		names := slices.Sorted(maps.Keys(keys))
		list := keys[names[chance.IntN(len(names))]]
		return list[chance.IntN(len(list))]
	}
	s := pick()
	switch chance.IntN(8) {
	case 0:
		s.drop()
	case 1:
		s.put(oddValues[chance.IntN(len(oddValues))])
	case 2, 3:
		if odd := oddStrings[s.key]; odd != nil {
			s.put(odd[chance.IntN(len(odd))])
			return
		}
		s.drop()
	case 4: // another value of that key
		others := keys[s.key]
		s.put(others[chance.IntN(len(others))].value)
	case 5: // an array with something twice
		for range 100 {
			if list, ok := s.value.([]any); ok && len(list) > 0 {
				s.put(append(slices.Clone(list), list[chance.IntN(len(list))]))
				return
			}
			s = pick()
		}
	case 6: // another key
		if s.table != nil {
			s.table[oddKeys[chance.IntN(len(oddKeys))]] = s.value
			if chance.IntN(2) == 0 {
				s.drop()
			}
		}
	case 7: // a key with any string
		if s.table != nil {
			key := slices.Sorted(maps.Keys(oddStrings))[chance.IntN(len(oddStrings))]
			s.table[key] = oddStrings[key][chance.IntN(len(oddStrings[key]))]
		}
	}
}

// deliberate are the differences between vpk and uv that are meant, by what the one that refuses a lock says of it; see the
// package comment.
var deliberate = []struct{ why, vpk, uv string }{
	{why: "only source trees lack a version", vpk: `key "version" is missing`},
	{why: "a hash is one", vpk: `parse hash ".*": want`},
	{why: "a wheel is the package's own", vpk: `is another package's`},
	{why: "types of keys that another key makes moot", vpk: `in ".*": want`},
	{why: "names are not empty", vpk: `parse name ""`},
	{why: "upload times are not read", uv: `failed to parse .* in date`},
	{why: "addresses in requirements are compared as text", uv: `untagged enum RequirementSourceWire`},
	{why: "keys of dependency-metadata that are not known", uv: "unknown field `.*`, expected one of `name`, `version`"},
	{why: "the address of an index is not used", uv: `Could not parse absolute URL`},
	{why: "specifiers may have empty parts, as in packaging", uv: `Unexpected end of version specifier`},
}

// TestMutatedLocksLikeUV damages locks, some written by hand and some by uv, and wants vpk to refuse and to select from what
// is left as uv does.
func TestMutatedLocksLikeUV(t *testing.T) {
	uv := newOracle(t)
	server := newSuiteServer(t)
	count := 40
	if peer.InFull() {
		count = 1000
	}
	var locks []mutable
	files, err := filepath.Glob("testdata/select/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		s := loadScenario(t, file)
		locks = append(locks, newMutable(t, s.dir, s.project, s.cases))
	}
	for _, name := range []string{"conflicting-groups", "constraint", "dependency-metadata", "find-links", "path", "url", "variants-by-index", "virtual-root", "workspace"} {
		p := loadSuiteProject(t, server, uv, filepath.Join("testdata/suite", name+".txtar"))
		locks = append(locks, newMutable(t, p.dir, p.project, p.cases))
	}
	const seed = 20
	counts := map[string]int{}
	for i := range count {
		chance := rand.New(rand.NewPCG(seed, uint64(i)))
		m := locks[chance.IntN(len(locks))]
		verdict := m.compare(t, uv, chance)
		counts[verdict]++
	}
	for _, verdict := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[verdict], verdict)
	}
}

// mutable is a project whose lock is damaged.
type mutable struct {
	dir     string
	lock    string
	project *pyproject.Project
	cases   []selectCase
}

func newMutable(t *testing.T, dir string, project *pyproject.Project, cases []selectCase) mutable {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	return mutable{dir, string(data), project, cases}
}

// compare damages the lock, and gives in words what came of it.
func (m mutable) compare(t *testing.T, uv *oracle, chance *rand.Rand) string {
	t.Helper()
	document := map[string]any{}
	if err := toml.Unmarshal([]byte(m.lock), &document); err != nil {
		t.Fatal(err)
	}
	mutate(chance, document)
	data, err := toml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "uv.lock"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	c := m.cases[chance.IntN(len(m.cases))]
	want, uvErr := uv.packages(t, m.dir, c.target, uvFlags(c.flags)...)
	selection, err := m.selected(t, data, c)
	switch {
	case err != nil && uvErr != nil:
		return "refused by both"
	case len(duplicateNames(want)) > 0 && err != nil && strings.Contains(err.Error(), "is selected twice"):
		return "two versions of a name: refused by vpk"
	case err != nil && strings.Contains(err.Error(), "sources that can't be installed"):
		return "to be built: refused by vpk"
	case err == nil && uvErr == nil:
		if diff := cmp.Diff(want, fileVersions(selection)); diff != "" {
			m.differ(t, data, c, "uv - vpk +:\n"+diff)
			return "DIFFERENT"
		}
		return "accepted by both"
	}
	for _, d := range deliberate {
		if uvErr != nil && d.uv != "" && regexp.MustCompile(d.uv).MatchString(uvErr.Error()) {
			return "deliberately accepted by vpk: " + d.why
		}
		if err != nil && d.vpk != "" && regexp.MustCompile(d.vpk).MatchString(err.Error()) {
			return "deliberately refused by vpk: " + d.why
		}
	}
	m.differ(t, data, c, fmt.Sprintf("vpk: %v\nuv: %v", err, uvErr))
	return "DIFFERENT"
}

// differ tells of a difference, with what was done to the lock.
func (m mutable) differ(t *testing.T, data []byte, c selectCase, how string) {
	t.Helper()
	document := map[string]any{}
	if err := toml.Unmarshal([]byte(m.lock), &document); err != nil {
		t.Fatal(err)
	}
	before, err := toml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(text []byte) []string { return strings.Split(string(text), "\n") }
	t.Errorf("%s %v: %s\nthe lock was changed:\n%s", c.target, c.flags, how, cmp.Diff(lines(before), lines(data)))
}

// selected is what vpk makes of a lock.
func (m mutable) selected(t *testing.T, data []byte, c selectCase) (*lockfile.Selection, error) {
	t.Helper()
	lock, err := lockfile.Parse(data, "uv.lock")
	if err != nil {
		return nil, err
	}
	r := request(t, c.flags, m.project.UV.DefaultGroups)
	r.GroupPython, r.Project = m.project.UV.GroupPython, m.project.Name
	if m.project.Name == "" {
		r.RootGroups = slices.Collect(maps.Keys(m.project.DependencyGroups))
	}
	selection, err := lockfile.Select(lock, c.target, r)
	if err != nil {
		return nil, err
	}
	for _, s := range selection.Packages {
		if !filepath.IsAbs(s.Path) {
			s.Path = filepath.Join(m.dir, s.Path)
		}
		// What is in a directory of wheels uv only finds out when it installs.
		if _, err := os.Stat(s.Path); s.Package.Source.Kind == lockfile.Path && err != nil {
			return nil, err
		}
	}
	return selection, nil
}
