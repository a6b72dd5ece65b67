package pep440

import (
	"strings"
	"unicode"
)

// parts are the segments of a version. Numbers are decimal digits of any
// length, perhaps with leading zeros; the empty string stands for 0. Scanning
// normalised text gives normalised parts.
type parts struct {
	epoch   string
	release string // components joined by "."
	pre     string // "", "a", "b" or "rc"
	preN    string
	post    string
	dev     string
	local   string // segments joined by ".", "-" or "_", in any case
	hasPost bool
	hasDev  bool
}

// scan reads the version that starts at s[at], as far as it goes, and gives the
// offset of what follows. reason is empty, or says why there is no version, and
// end is then the place.
func scan(s string, at int) (p parts, end int, reason string) {
	i := at
	if i < len(s) && lower(s[i]) == 'v' {
		i++
	}
	j := digits(s, i)
	if j == i {
		return p, i, missingDigit(s, i, "a version starts with a digit")
	}
	if j < len(s) && s[j] == '!' {
		p.epoch = s[i:j]
		i = j + 1
		if j = digits(s, i); j == i {
			return p, i, missingDigit(s, i, "a release number has to follow the epoch")
		}
	}
	for j+1 < len(s) && s[j] == '.' && isDigit(s[j+1]) {
		j = digits(s, j+1)
	}
	p.release = s[i:j]

	if word, k := letters(s, j, preWords[:]); k > j {
		p.pre = word.canonical
		p.preN, j = number(s, k)
	}
	if j+1 < len(s) && s[j] == '-' && isDigit(s[j+1]) {
		p.hasPost = true
		k := digits(s, j+1)
		p.post, j = s[j+1:k], k
	} else if _, k := letters(s, j, postWords[:]); k > j {
		p.hasPost = true
		p.post, j = number(s, k)
	}
	if _, k := letters(s, j, devWords[:]); k > j {
		p.hasDev = true
		p.dev, j = number(s, k)
	}
	if j < len(s) && s[j] == '+' {
		k := j
		for k+1 < len(s) && isAlnum(s[k+1]) && (k == j || isSeparator(s[k])) {
			for k++; k < len(s) && isAlnum(s[k]); k++ {
			}
		}
		if k > j {
			p.local, j = s[j+1:k], k
		}
	}
	return p, j, ""
}

// word is one of PEP 440's spellings of a segment's letters.
type word struct{ spelling, canonical string }

// Where one spelling starts with another, the longer comes first.
var (
	preWords = [...]word{
		{"alpha", "a"}, {"beta", "b"}, {"preview", "rc"}, {"pre", "rc"},
		{"a", "a"}, {"b", "b"}, {"c", "rc"}, {"rc", "rc"},
	}
	postWords = [...]word{{"post", "post"}, {"rev", "post"}, {"r", "post"}}
	devWords  = [...]word{{"dev", "dev"}}
)

// letters reads an optional separator and one of the words, in any case. It
// gives the offset after the word, or i when there is none.
func letters(s string, i int, words []word) (word, int) {
	k := separator(s, i)
	if k < len(s) && isAlnum(s[k]) {
		for _, w := range words {
			if hasFold(s[k:], w.spelling) {
				return w, k + len(w.spelling)
			}
		}
	}
	return word{}, i
}

// number reads an optional separator and optional digits.
func number(s string, i int) (string, int) {
	i = separator(s, i)
	j := digits(s, i)
	return s[i:j], j
}

func separator(s string, i int) int {
	if i < len(s) && isSeparator(s[i]) {
		i++
	}
	return i
}

func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func missingDigit(s string, at int, rule string) string {
	if at == len(s) {
		return rule
	}
	return unexpected(s, at) + ": " + rule
}

// hasFold reports whether s starts with the lower-case word w in any case.
func hasFold(s, w string) bool {
	if len(s) < len(w) {
		return false
	}
	for i := 0; i < len(w); i++ {
		if lower(s[i]) != w[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func isDigit(c byte) bool     { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool     { return isDigit(c) || 'a' <= lower(c) && lower(c) <= 'z' }
func isSeparator(c byte) bool { return c == '.' || c == '-' || c == '_' }

// isSpace reports what Python's str.isspace and \s do: Unicode's white space and
// the four information separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// trimSpace gives s without the white space around it, and how much was cut in front.
func trimSpace(s string) (string, int) {
	t := strings.TrimLeftFunc(s, isSpace)
	return strings.TrimRightFunc(t, isSpace), len(s) - len(t)
}

// appendText appends the normalised version.
func (p *parts) appendText(b []byte) []byte {
	if e := trimZeros(p.epoch); e != "" {
		b = append(append(b, e...), '!')
	}
	for rest, more := p.release, true; more; {
		var component string
		component, rest, more = strings.Cut(rest, ".")
		b = appendNumber(b, component)
		if more {
			b = append(b, '.')
		}
	}
	if p.pre != "" {
		b = appendNumber(append(b, p.pre...), p.preN)
	}
	if p.hasPost {
		b = appendNumber(append(b, ".post"...), p.post)
	}
	if p.hasDev {
		b = appendNumber(append(b, ".dev"...), p.dev)
	}
	for sep, rest := byte('+'), p.local; rest != ""; sep = '.' {
		var segment string
		segment, rest = cutLocal(rest)
		b = append(b, sep)
		if isNumber(segment) {
			b = appendNumber(b, segment)
			continue
		}
		for i := range len(segment) {
			b = append(b, lower(segment[i]))
		}
	}
	return b
}

func appendNumber(b []byte, n string) []byte {
	if n = trimZeros(n); n == "" {
		n = "0"
	}
	return append(b, n...)
}

// trimZeros cuts leading zeros; 0 becomes the empty string.
func trimZeros(n string) string {
	for n != "" && n[0] == '0' {
		n = n[1:]
	}
	return n
}

// cutLocal gives the first segment of a local version and what follows its separator.
func cutLocal(s string) (segment, rest string) {
	for i := range len(s) {
		if isSeparator(s[i]) {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func isNumber(s string) bool { return s != "" && digits(s, 0) == len(s) }
