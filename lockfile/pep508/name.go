package pep508

import (
	"strings"

	"vpk/lockfile/pep440"
)

// NormalizeName gives the PEP 503 form of a package, extra or group name: lower
// case, with each run of "-", "_" and "." as one "-". It does not validate.
func NormalizeName(s string) string {
	if normalized(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	dash := false
	for _, r := range strings.ToLower(s) {
		if r == '-' || r == '_' || r == '.' {
			if !dash {
				b.WriteByte('-')
			}
			dash = true
			continue
		}
		b.WriteRune(r)
		dash = false
	}
	return b.String()
}

// normalized reports whether s is plainly in normal form already, as names in a
// lock are.
func normalized(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' && i > 0 && s[i-1] != '-') {
			return false
		}
	}
	return true
}

// ValidName reports whether s is a package, extra or group name: ASCII letters
// and digits, and within also ".", "_" and "-".
func ValidName(s string) bool {
	return s != "" && nameEnd(s, 0) == len(s) && isAlnum(s[0]) && isAlnum(s[len(s)-1])
}

// ParseName validates a name and gives its normalised form. Errors are of type
// *pep440.SyntaxError.
func ParseName(s string) (string, error) {
	if ValidName(s) {
		return NormalizeName(s), nil
	}
	at := nameEnd(s, 0)
	switch {
	case s == "":
		return "", &pep440.SyntaxError{What: "name", Input: s, Reason: "it is empty"}
	case at < len(s):
		return "", &pep440.SyntaxError{What: "name", Input: s, Offset: at, Reason: unexpected(s, at)}
	case isAlnum(s[0]):
		at = len(s) - 1
	default:
		at = 0
	}
	return "", &pep440.SyntaxError{What: "name", Input: s, Offset: at, Reason: nameEdges}
}

const nameEdges = "a name starts and ends with a letter or a digit"

// nameEnd gives the offset after the characters of a name that start at s[i].
func nameEnd(s string, i int) int {
	for i < len(s) && (isAlnum(s[i]) || s[i] == '-' || s[i] == '_' || s[i] == '.') {
		i++
	}
	return i
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
