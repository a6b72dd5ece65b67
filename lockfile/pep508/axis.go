package pep508

import (
	"cmp"
	"strings"

	"vpk/lockfile/pep440"
)

// axis is what one level of a decision diagram decides on. Its values are
// points on a line of versions or of texts, or just false and true.
type axis struct {
	class axisClass
	key   variable
	// value is the text of an inTexts or containsText axis, the name of an
	// extra or of a member of a set.
	value string
}

type axisClass uint8

// The classes in the order in which they are decided on, which is uv's: it
// keeps what excludes one another on top, and extras at the bottom.
const (
	textLine axisClass = iota
	versionLine
	inText       // the variable's value is in a text
	containsText // the variable's value contains a text
	extraActive
	setMember
)

// textRank orders the axes of texts; those up to platformSystem may exclude
// one another.
var textRank = [...]variable{
	osName, sysPlatform, platformSystem, platformMachine, platformPythonImplementation, platformRelease,
	platformVersion, implementationName,
}

func rank(v variable) int {
	for i, known := range textRank {
		if v == known {
			return i
		}
	}
	return int(v)
}

func (a axis) compare(b axis) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(rank(a.key), rank(b.key)), strings.Compare(a.value, b.value))
}

// isPlatform tells an axis whose values may exclude values of another one.
func (a axis) isPlatform() bool { return a.class == textLine && rank(a.key) <= rank(platformSystem) }

// cut divides a line right before or right after a value. The one cut of an
// axis that has no line, between false and true, is the zero cut.
type cut struct {
	version pep440.Version // on a line of versions, trimmed
	text    string         // on a line of texts
	after   bool
}

func (c cut) compare(d cut) int {
	order := strings.Compare(c.text, d.text)
	if !c.version.IsZero() {
		order = c.version.Compare(d.version)
	}
	if order != 0 || c.after == d.after {
		return order
	}
	if d.after {
		return -1
	}
	return 1
}

func (c cut) append(b []byte) []byte {
	if c.version.IsZero() {
		b = append(b, c.text...)
	} else {
		b = append(b, c.version.String()...)
	}
	if c.after {
		return append(b, 0, 1) // the values hold no NUL
	}
	return append(b, 0, 0)
}

// locate gives the number of cuts that the value in env lies behind.
func (a axis) locate(cuts []cut, env *Environment, active func(string) bool) int {
	var holds bool
	switch a.class {
	case textLine, versionLine:
		return a.find(cuts, env.value(a.key))
	case inText:
		holds = strings.Contains(a.value, env.value(a.key))
	case containsText:
		holds = strings.Contains(env.value(a.key), a.value)
	case extraActive:
		holds = active != nil && active(a.value)
	}
	if holds {
		return 1
	}
	return 0 // sets are empty
}

func (a axis) find(cuts []cut, value string) int {
	at := cut{text: value}
	if a.class == versionLine {
		at = cut{}
		v, err := pep440.Parse(value)
		if err != nil {
			return 0
		}
		at.version = v.ReleaseOnly()
	}
	for i := range cuts {
		// The value lies between the place before it and the one after it.
		if order := cuts[i].compare(at); order > 0 {
			return i
		}
	}
	return len(cuts)
}

// lowerCut and upperCut give the place where a range starts or ends; ok is
// false where it does not.
func lowerCut(b pep440.Bound) (c cut, ok bool) {
	if b.Version.IsZero() {
		return cut{}, false
	}
	return cut{version: b.Version.Trimmed(), after: !b.Inclusive}, true
}

func upperCut(b pep440.Bound) (c cut, ok bool) {
	if b.Version.IsZero() {
		return cut{}, false
	}
	return cut{version: b.Version.Trimmed(), after: b.Inclusive}, true
}
