package pyproject

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sources reads [tool.uv.sources]: a table or a list of tables for each package.
func (r *reader) sources(w map[string]any, place []any) map[string][]Source {
	if w == nil {
		return nil
	}
	sources := map[string][]Source{}
	for _, key := range slices.Sorted(maps.Keys(w)) {
		place := slices.Concat(place, []any{key})
		name := r.name(key, place...)
		if _, ok := sources[name]; ok {
			r.add(fmt.Errorf("package %q has its sources twice", name), place...)
		}
		list, ok := w[key].([]any)
		if !ok {
			sources[name] = []Source{r.source(w[key], place)}
			continue
		}
		sources[name] = []Source{}
		for i, item := range list {
			sources[name] = append(sources[name], r.source(item, slices.Concat(place, []any{i})))
		}
	}
	return sources
}

func (r *reader) source(w any, place []any) Source {
	table, ok := w.(map[string]any)
	if !ok {
		r.add(errors.New("want a source, such as { workspace = true }, or a list of them"), place...)
		return Source{}
	}
	var s Source
	texts := map[string]*string{
		"git": &s.Git, "rev": &s.Rev, "tag": &s.Tag, "branch": &s.Branch, "url": &s.URL, "subdirectory": &s.Subdirectory,
		"path": &s.Path, "index": &s.Index, "extra": &s.Extra, "group": &s.Group,
	}
	var kinds, refs []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		place := slices.Concat(place, []any{key})
		switch value := table[key].(type) {
		case string:
			to, known := texts[key]
			switch {
			case key == "marker":
				s.Marker = r.marker(value, place...)
			case !known:
				r.add(fmt.Errorf("unknown key %q in a source", key), place...)
			case key == "extra" || key == "group":
				*to = r.name(value, place...)
			default:
				*to = value
			}
		case bool:
			switch key {
			case "workspace":
				s.Workspace = value
			case "editable":
				s.Editable = &value
			case "package":
				s.Package = &value
			case "lfs":
				s.LFS = value
			default:
				r.add(fmt.Errorf("unknown key %q in a source", key), place...)
			}
		default:
			r.add(fmt.Errorf("key %q of a source is neither text nor true or false", key), place...)
		}
		switch key {
		case "git", "url", "path", "index", "workspace":
			kinds = append(kinds, key)
		case "rev", "tag", "branch":
			refs = append(refs, key)
		}
	}
	switch {
	case len(kinds) != 1:
		r.add(errors.New("a source has one of git, url, path, index and workspace"), place...)
	case kinds[0] == "workspace" && !s.Workspace:
		r.add(errors.New("a source with workspace = false is none"), place...)
	case len(refs) > 1:
		r.add(fmt.Errorf("a source has one of %s only", strings.Join(refs, " and ")), place...)
	}
	return s
}
