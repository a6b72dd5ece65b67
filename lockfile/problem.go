package lockfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpk/lockfile/tomlpos"
)

// problems are what is wrong with a lock, each at its place.
type problems []problem

type problem struct {
	place path
	err   error
}

// path is the way to a value in the document: keys and positions in arrays. The zero path is the document.
type path []any

func (p path) at(steps ...any) path { return append(slices.Clip(p), steps...) }

func (l *problems) add(place path, format string, args ...any) {
	*l = append(*l, problem{place, fmt.Errorf(format, args...)})
}

// most is how many problems of one lock are told: a file with more is broken as a whole.
const most = 20

// err gives one line a problem, in the order of the file.
func (l problems) err(filename string, data []byte) error {
	if len(l) == 0 {
		return nil
	}
	index := tomlpos.NewIndex(data)
	type line struct {
		number int
		text   string
	}
	lines := make([]line, len(l))
	for i, p := range l {
		number := index.Line(p.place...)
		place := filename
		if number > 0 {
			place = fmt.Sprintf("%s:%d", filename, number)
		}
		lines[i] = line{number, fmt.Sprintf("%s: %v", place, p.err)}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.number, b.number) })
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], line{text: fmt.Sprintf("%s: and %d more problems", filename, more)})
	}
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.text
	}
	return errors.New(strings.Join(texts, "\n"))
}
