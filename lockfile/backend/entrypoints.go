package backend

import (
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
