package backend

import (
	"fmt"
	"strings"
)

// ini is a file of sections with keys, as Python's RawConfigParser reads setup.cfg for setuptools: case counts, "=" or ":"
// ends a key, a line that is indented deeper continues the value before it, comments are lines that begin with # or ;.
type ini map[string]map[string]string

// parseINI reads a setup.cfg. What Python refuses (a key twice, or outside of sections) is refused here.
func parseINI(text string) (ini, error) {
	sections := ini{}
	var section map[string]string
	sectionName, key := "", ""
	values := map[string][]string{} // of the section that is read, by key
	finish := func() {
		for key, lines := range values {
			section[key] = strings.TrimRight(strings.Join(lines, "\n"), " \t\f\v\r\n")
		}
		clear(values)
	}
	n, indent := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		if trimmed == "" {
			if key != "" {
				values[key] = append(values[key], "")
			}
			continue
		}
		at := len(line) - len(strings.TrimLeft(line, " \t\f\v\r"))
		if key != "" && at > indent {
			values[key] = append(values[key], trimmed)
			continue
		}
		indent = at
		if name, ok := header(trimmed); ok {
			finish()
			if _, ok := sections[name]; ok {
				return nil, fmt.Errorf("line %d: section [%s] is there twice", n, name)
			}
			section, sectionName, key = map[string]string{}, name, ""
			sections[name] = section
			continue
		}
		if section == nil {
			return nil, fmt.Errorf("line %d: there is no section yet", n)
		}
		end := strings.IndexAny(trimmed, "=:")
		if end <= 0 {
			return nil, fmt.Errorf("line %d: want KEY = VALUE", n)
		}
		key = strings.TrimSpace(trimmed[:end])
		if _, ok := values[key]; ok {
			return nil, fmt.Errorf("line %d: key %q is twice in [%s]", n, key, sectionName)
		}
		values[key] = []string{strings.TrimSpace(trimmed[end+1:])}
	}
	finish()
	return sections, nil
}

// header is the name of a section, up to its last bracket.
func header(line string) (string, bool) {
	end := strings.LastIndexByte(line, ']')
	if line[0] != '[' || end < 2 {
		return "", false
	}
	return line[1:end], true
}

// list is a value of several lines, or of one with commas, as setuptools reads lists.
func (i ini) list(section, key string) []string {
	value := i[section][key]
	separator := ","
	if strings.Contains(value, "\n") {
		separator = "\n"
	}
	var items []string
	for item := range strings.SplitSeq(value, separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// table is a value whose items are KEY = VALUE.
func (i ini) table(section, key string) map[string]string {
	items := map[string]string{}
	for _, item := range i.list(section, key) {
		name, value, _ := strings.Cut(item, "=")
		items[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return items
}
