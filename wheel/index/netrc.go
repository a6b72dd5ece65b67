package index

import (
	"errors"
	"fmt"
	"strings"
)

// netrc is the entries of a netrc file by machine; that of "default" is for all others.
type netrc map[string]Credentials

// find gives the entry of a host, which must be the user's if a name is given (crates/uv-auth/src/credentials.rs, from_netrc).
func (n netrc) find(host, username string) (Credentials, bool) {
	c, ok := n[host]
	if !ok {
		c, ok = n["default"]
	}
	if !ok || username != "" && username != c.Username {
		return Credentials{}, false
	}
	return c, true
}

// parseNetrc reads a netrc file as CPython does (Lib/netrc.py, 3.11): words between white space or in quotes, a backslash before any
// character, macdef up to an empty line, # up to the end of the line where a key could be. Of two entries for a machine the last
// counts. Its errors show nothing of the file's text. Two oddities of CPython are left out: that # hides no more than one word where
// no space follows it, or where empty lines come before it.
func parseNetrc(text string) (netrc, error) {
	n := netrc{}
	l := &netrcLexer{rest: text, line: 1}
	bad := func(what string) (netrc, error) { return nil, fmt.Errorf("line %d: %s", l.line, what) }
	key, ok := l.key()
	for ok {
		machine := "default"
		switch key {
		case "machine":
			if machine, _ = l.word(); machine == "" {
				return bad("the name of a machine is missing")
			}
		case "default":
		case "macdef":
			if _, ok := l.word(); !ok {
				return bad("the name of a macro is missing")
			}
			if !l.skipMacro() {
				return bad("a macro does not end with an empty line")
			}
			key, ok = l.key()
			continue
		default:
			return bad("a word is none of machine, default and macdef")
		}
		var login, password string
		for {
			if key, ok = l.key(); !ok || key == "machine" || key == "default" || key == "macdef" {
				break
			}
			switch key {
			case "login", "user":
				login, _ = l.word()
			case "account":
				_, _ = l.word()
			case "password":
				password, _ = l.word()
			default:
				return bad("a word is none of login, account and password")
			}
		}
		n[machine] = Basic(login, password)
	}
	if l.err != nil {
		return bad(l.err.Error())
	}
	return n, nil
}

// netrcLexer gives the words of a netrc file.
type netrcLexer struct {
	rest string
	line int
	// ended is the white space that ended the last word, 0 for none.
	ended byte
	err   error
}

func (l *netrcLexer) next() (c byte, ok bool) {
	if l.rest == "" {
		return 0, false
	}
	c, l.rest = l.rest[0], l.rest[1:]
	if c == '\n' {
		l.line++
	}
	return c, true
}

// key is the next word that is not in a comment.
func (l *netrcLexer) key() (string, bool) {
	for {
		word, ok := l.word()
		if !ok || !strings.HasPrefix(word, "#") {
			return word, ok
		}
		for l.ended != '\n' {
			if l.ended, ok = l.next(); !ok {
				return "", false
			}
		}
	}
}

// word is the next word; ok is false at the end.
func (l *netrcLexer) word() (word string, ok bool) {
	l.ended = 0
	c, ok := l.next()
	for ok && isNetrcSpace(c) {
		c, ok = l.next()
	}
	if !ok {
		return "", false
	}
	quoted := c == '"'
	if quoted {
		c, ok = l.next()
	}
	var b strings.Builder
	for ; ok; c, ok = l.next() {
		switch {
		case quoted && c == '"':
			return b.String(), true
		case !quoted && isNetrcSpace(c):
			l.ended = c
			return b.String(), true
		case c == '\\':
			if c, ok = l.next(); !ok {
				return b.String(), true
			}
		}
		b.WriteByte(c)
	}
	if quoted {
		l.err = errors.New("a quote is not closed")
	}
	return b.String(), true
}

func isNetrcSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skipMacro reads over the rest of the line and the lines of a macro, up to an empty one.
func (l *netrcLexer) skipMacro() bool {
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return false
		}
		l.rest, l.line = rest, l.line+1
		if line == "" {
			return true
		}
	}
}
