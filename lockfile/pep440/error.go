package pep440

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where and why a text is not what it should be.
type SyntaxError struct {
	What   string // what was being read: "version", "specifier", "marker", ...
	Input  string // the whole text
	Offset int    // in bytes, from 0; len(Input) when something is missing at the end
	Reason string
}

// Column gives the place of the error in characters, from 1.
func (e *SyntaxError) Column() int {
	return utf8.RuneCountInString(e.Input[:e.Offset]) + 1
}

// Error gives one line: what was read, the text, the column and the reason. Of a URL in the text, user, query and fragment are
// left out, for they may be secret; the column is that in the whole text.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parse %s %q: column %d: %s", e.What, secretParts.ReplaceAllString(e.Input, "$1$2"), e.Column(), e.Reason)
}

var secretParts = regexp.MustCompile(`(://)(?:\S*@)?([^\s?#]*)(?:[?#]\S*)?`)

// Caret gives two lines: the text, and a caret below the place of the error.
// Characters are taken to be one column wide; control characters are shown as
// spaces.
func (e *SyntaxError) Caret() string {
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, e.Input)
	return line + "\n" + strings.Repeat(" ", e.Column()-1) + "^"
}

// unexpected words the reason for a text that goes on where it should end.
func unexpected(s string, at int) string {
	r, _ := utf8.DecodeRuneInString(s[at:])
	return fmt.Sprintf("unexpected %q", r)
}
