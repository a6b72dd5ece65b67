package backend

import (
	"regexp"
	"strings"
)

// literal reads what a module assigns to a name at its top level, if it is a literal: a string, several of them in a row, or a
// tuple or list of strings and integers, which are joined by dots. The first assignment counts; annotations and chains (a = b =
// …) are fine. What is in a block, or computed, is not found.
func literal(source, name string) (string, bool) {
	assigned := regexp.MustCompile(`^` + regexp.QuoteMeta(name) + `[ \t\f]*(?::[^=]*)?=`)
	chained := regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*[ \t\f]*=`)
	for _, line := range statements(source) {
		rest, found := line, false
		for {
			if m := assigned.FindString(rest); m != "" {
				rest, found = strings.TrimLeft(rest[len(m):], " \t\f"), true
			} else if m := chained.FindString(rest); m != "" {
				rest = strings.TrimLeft(rest[len(m):], " \t\f")
			} else {
				break
			}
		}
		if found && !strings.HasPrefix(rest, "=") {
			return constant(rest)
		}
	}
	return "", false
}

// docstring is the string that a module begins with.
func docstring(source string) (string, bool) {
	for _, line := range statements(source) {
		text, single, ok := constants(line)
		return strings.Join(text, ""), ok && single
	}
	return "", false
}

// statements are the logical lines that begin at the left margin, without leading comments. A line is as long as brackets,
// strings and backslashes make it.
func statements(source string) []string {
	var list []string
	for i := 0; i < len(source); {
		start := i
		depth := 0
	line:
		for i < len(source) {
			switch c := source[i]; c {
			case '\n':
				i++
				if depth <= 0 {
					break line
				}
			case '\\':
				i += 2
			case '#':
				for i < len(source) && source[i] != '\n' {
					i++
				}
			case '(', '[', '{':
				depth++
				i++
			case ')', ']', '}':
				depth--
				i++
			case '"', '\'':
				i = stringEnd(source, i)
			default:
				i++
			}
		}
		i = min(i, len(source))
		text := strings.TrimRight(source[start:i], " \t\f\r\n")
		if text != "" && !strings.ContainsRune(" \t\f#", rune(text[0])) {
			list = append(list, text)
		}
	}
	return list
}

// stringEnd is the place after the string that begins with the quote at i. One that does not end, or not on its line, ends
// where that does.
func stringEnd(s string, i int) int {
	quote := s[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], triple) {
		quote = triple
	}
	for i += len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		case s[i] == '\n' && len(quote) == 1:
			return i
		}
	}
	return len(s)
}

// constant is the value of an expression, see literal.
func constant(text string) (string, bool) {
	values, single, ok := constants(text)
	if !ok || len(values) == 0 {
		return "", false
	}
	if single {
		return strings.Join(values, ""), true
	}
	return strings.Join(values, "."), true
}

// constants reads a whole expression: a string or several in a row (single), perhaps in parentheses, or a tuple or list.
func constants(text string) (values []string, single, ok bool) {
	r := expression{text: text}
	open := byte(0)
	if c := r.peek(); c == '(' || c == '[' {
		open = c
		r.at++
	}
	commas := 0
	for {
		c := r.peek()
		if c == 0 || open != 0 && (c == ')' || c == ']') {
			break
		}
		value, isString, ok := r.value()
		if !ok {
			return nil, false, false
		}
		if isString { // strings in a row are one
			row := []string{value}
			for {
				next, again, ok := r.value()
				if !ok {
					break
				}
				if !again {
					return nil, false, false
				}
				row = append(row, next)
			}
			value = strings.Join(row, "")
		}
		if open == 0 && !isString {
			return nil, false, false // a number is no version
		}
		values = append(values, value)
		if r.peek() != ',' {
			if !isString && commas == 0 && open == '(' {
				return nil, false, false // a number in parentheses
			}
			break
		}
		commas++
		r.at++
	}
	if open != 0 {
		if r.peek() != open+1 && r.peek() != open+2 { // ")" follows "(" at once, "]" follows "[" with one between
			return nil, false, false
		}
		r.at++
	}
	single = commas == 0 && open != '['
	return values, single, r.peek() == 0 && (len(values) > 0 || open == 0)
}

// expression is read from the left.
type expression struct {
	text string
	at   int
}

// peek is the next byte that counts, 0 at the end.
func (e *expression) peek() byte {
	for e.at < len(e.text) {
		switch c := e.text[e.at]; c {
		case ' ', '\t', '\f', '\n':
			e.at++
		case '\\':
			if !strings.HasPrefix(e.text[e.at:], "\\\n") {
				return c
			}
			e.at += 2
		case '#':
			for e.at < len(e.text) && e.text[e.at] != '\n' {
				e.at++
			}
		default:
			return c
		}
	}
	return 0
}

var integer = regexp.MustCompile(`^(?:0|[1-9][0-9]*)(?:[^0-9A-Za-z_.]|$)`)

// value reads a string or an integer.
func (e *expression) value() (value string, isString, ok bool) {
	c := e.peek()
	rest := e.text[e.at:]
	if c >= '0' && c <= '9' {
		m := integer.FindString(rest)
		digits := strings.TrimRight(m, "\x00 \t\f\n,)]#")
		if m == "" || digits == "" || strings.Trim(digits, "0123456789") != "" {
			return "", false, false
		}
		e.at += len(digits)
		return digits, false, true
	}
	raw := false
	if c == 'r' || c == 'R' || c == 'u' || c == 'U' {
		raw = c == 'r' || c == 'R'
		rest = rest[1:]
	}
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", false, false
	}
	end := stringEnd(rest, 0)
	quote := 1
	if strings.HasPrefix(rest, strings.Repeat(rest[:1], 3)) {
		quote = 3
	}
	if end < 2*quote || rest[end-quote:end] != strings.Repeat(rest[:1], quote) {
		return "", false, false // it does not end
	}
	body := rest[quote : end-quote]
	if !raw {
		if body, ok = unescape(body); !ok {
			return "", false, false
		}
	}
	e.at = len(e.text) - len(rest) + end
	return body, true, true
}

// unescape resolves backslashes before quotes, backslashes and line ends. Others mean characters that no version has.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i >= len(s) {
			return "", false
		}
		switch s[i] {
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		case '\n':
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		default:
			return "", false
		}
	}
	return b.String(), true
}
