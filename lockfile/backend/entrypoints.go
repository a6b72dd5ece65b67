package backend

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Groups that become programs.
const (
	consoleScripts = "console_scripts"
	guiScripts     = "gui_scripts"
)

// entryPoints are the entry points of each group, by name.
type entryPoints map[string]map[string]string

func (e *entryPoints) add(group, name, value string) {
	if *e == nil {
		*e = entryPoints{}
	}
	if (*e)[group] == nil {
		(*e)[group] = map[string]string{}
	}
	(*e)[group][name] = value
}

func (e *entryPoints) addAll(group string, points map[string]string) {
	for name, value := range points {
		e.add(group, name, value)
	}
}

// check refuses what could not be read again from entry_points.txt, all of it at once.
func (e entryPoints) check() error {
	var problems []string
	for _, group := range slices.Sorted(maps.Keys(e)) {
		if strings.ContainsAny(group, "]\r\n") || strings.TrimSpace(group) != group || group == "" {
			problems = append(problems, fmt.Sprintf("%q cannot be the name of a group of entry points", group))
		}
		for _, name := range slices.Sorted(maps.Keys(e[group])) {
			if value := e[group][name]; strings.ContainsAny(name, "=:\r\n") || strings.TrimSpace(name) != name || name == "" || strings.ContainsAny(name[:1], "[#;") ||
				strings.ContainsAny(value, "\r\n") {
				problems = append(problems, fmt.Sprintf("%q of %q cannot be an entry point: %q", name, group, value))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

// format is entry_points.txt, sorted.
func (e entryPoints) format() []byte {
	var b strings.Builder
	for i, group := range slices.Sorted(maps.Keys(e)) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", group)
		for _, name := range slices.Sorted(maps.Keys(e[group])) {
			fmt.Fprintf(&b, "%s = %s\n", name, e[group][name])
		}
	}
	return []byte(b.String())
}
