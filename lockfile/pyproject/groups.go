package pyproject

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpk/internal/spelling"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// grouping inlines the includes of [dependency-groups] (PEP 735).
type grouping struct {
	r     *reader
	items map[string][]groupItem
	// python is the requires-python of groups that have their own.
	python map[string]pep440.Specifiers
	// done are the groups that are inlined, open those that are being so, outermost first.
	done map[string][]pep508.Requirement
	open []string
	// size counts requirements over all groups: includes of includes can double it at each step.
	size int
}

// groupItem is a requirement or the name of another group.
type groupItem struct {
	requirement pep508.Requirement
	include     string
	place       []any
}

// mostGrouped bounds the requirements of all groups together.
const mostGrouped = 100_000

func (r *reader) newGrouping(w map[string][]any) *grouping {
	g := &grouping{r: r, done: map[string][]pep508.Requirement{}}
	if w != nil {
		g.items = map[string][]groupItem{}
	}
	for _, key := range slices.Sorted(maps.Keys(w)) {
		place := []any{"dependency-groups", key}
		name, err := pep508.ParseName(key)
		if err != nil {
			r.add(err, place...)
			continue
		}
		if _, ok := g.items[name]; ok {
			r.add(fmt.Errorf("group %q is there twice", name), place...)
			continue
		}
		items := []groupItem{}
		for i, value := range w[key] {
			items = append(items, r.groupItem(value, []any{"dependency-groups", key, i}))
		}
		g.items[name] = items
	}
	return g
}

func (r *reader) groupItem(value any, place []any) groupItem {
	item := groupItem{place: place}
	switch value := value.(type) {
	case string:
		item.requirement = r.requirement(value, place...)
		return item
	case map[string]any:
		if include, ok := value["include-group"].(string); ok && len(value) == 1 {
			name, err := pep508.ParseName(include)
			if err != nil {
				r.add(err, place...)
			}
			item.include = name
			return item
		}
	}
	r.add(fmt.Errorf("want a requirement or {include-group = \"NAME\"}"), place...)
	return item
}

func (g *grouping) flatten() map[string][]pep508.Requirement {
	if g.items == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(g.items)) {
		g.group(name)
	}
	return g.done
}

func (g *grouping) group(name string) []pep508.Requirement {
	if list, ok := g.done[name]; ok {
		return list
	}
	g.open = append(g.open, name)
	list := []pep508.Requirement{}
	for _, item := range g.items[name] {
		if item.include == "" {
			list = append(list, item.requirement)
			continue
		}
		if _, ok := g.items[item.include]; !ok {
			g.r.add(fmt.Errorf("group %q includes %q, which is not defined%s", name, item.include, meant(item.include, g.items)), item.place...)
			continue
		}
		if from := slices.Index(g.open, item.include); from >= 0 {
			cycle := append(slices.Clone(g.open[from:]), item.include)
			g.r.add(fmt.Errorf("[dependency-groups]: groups include one another: %s", strings.Join(cycle, " -> ")), item.place...)
			continue
		}
		list = append(list, g.group(item.include)...)
		if g.size+len(list) > mostGrouped {
			g.r.add(fmt.Errorf("group %q holds more than %d requirements", name, mostGrouped), item.place...)
			break
		}
	}
	if m := pythonMarker(g.python[name]); !m.IsTrue() {
		for i := range list {
			list[i].Marker = list[i].Marker.And(m)
		}
	}
	g.open = g.open[:len(g.open)-1]
	g.size += len(list)
	g.done[name] = list
	return list
}

// pythonMarker gives the marker that requires-python is: of its bounds alone, as in uv.
func pythonMarker(python pep440.Specifiers) pep508.Marker {
	lower, upper, _ := python.Bounds()
	var terms []string
	term := func(b pep440.Bound, op string) {
		if b.Inclusive {
			op += "="
		}
		if !b.Version.IsZero() {
			terms = append(terms, fmt.Sprintf("python_full_version %s '%s'", op, b.Version))
		}
	}
	term(lower, ">")
	term(upper, "<")
	if terms == nil {
		return pep508.Marker{}
	}
	// It is a marker, since a version has no quote in it.
	m, _ := pep508.ParseMarker(strings.Join(terms, " and "))
	return m
}

// includes gives for each group those that it includes itself.
func (g *grouping) includes() map[string][]string {
	includes := map[string][]string{}
	for name, items := range g.items {
		for _, item := range items {
			if item.include != "" {
				includes[name] = append(includes[name], item.include)
			}
		}
	}
	return includes
}

// meant tells which group a misspelt name may mean, as the end of a message.
func meant[T any](name string, groups map[string]T) string {
	near := spelling.Nearest(name, slices.Collect(maps.Keys(groups)))
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}
