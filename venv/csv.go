package venv

import (
	"iter"
	"strings"
)

// csvRecords reads CSV as the Rust crate csv does, which is more forgiving than encoding/csv: LF, CRLF and CR each end a
// record, empty lines are none, a quote counts only where a field begins, what follows a closing quote belongs to the field,
// and the end of the text closes what is open. It gives the line that a record begins on, and its fields, which are valid
// until the next record.
func csvRecords(text string) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		var fields []string
		for line := 1; text != ""; {
			if text[0] == '\n' || text[0] == '\r' {
				line += newline(text)
				text = text[1:]
				continue
			}
			start := line
			fields = fields[:0]
			for more := true; more; {
				var field string
				var lines int
				field, text, lines, more = csvField(text)
				fields = append(fields, field)
				line += lines
			}
			if !yield(start, fields) {
				return
			}
		}
	}
}

// newline is how many lines the first byte of a text ends: of CRLF it is the second byte that does.
func newline(text string) int {
	if text[0] == '\n' || text[0] == '\r' && (len(text) == 1 || text[1] != '\n') {
		return 1
	}
	return 0
}

// csvField reads one field, and its comma: more tells whether there was one. The end of the record stays in the rest.
func csvField(text string) (field, rest string, lines int, more bool) {
	var opened []byte // what was in quotes
	if text != "" && text[0] == '"' {
		opened, text, lines = csvQuoted(text[1:])
	}
	field, rest = text, ""
	if i := strings.IndexAny(text, ",\r\n"); i >= 0 {
		field, rest = text[:i], text[i:]
	}
	if len(opened) > 0 {
		field = string(opened) + field
	}
	if rest != "" && rest[0] == ',' {
		return field, rest[1:], lines, true
	}
	return field, rest, lines, false
}

// csvQuoted reads up to the closing quote; two quotes are one that does not close.
func csvQuoted(text string) (content []byte, rest string, lines int) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '"' {
			if i+1 == len(text) || text[i+1] != '"' {
				return content, text[i+1:], lines
			}
			i++
		}
		lines += newline(text[i:])
		content = append(content, c)
	}
	return content, "", lines
}
