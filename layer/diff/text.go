package diff

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// WriteText writes a report for people: nothing when the images are equal. What comes from an image is quoted where it has
// characters that a terminal would obey.
func (r *Report) WriteText(w io.Writer) error {
	if r.Equal {
		return nil
	}
	t := text{bufio.NewWriter(w)}
	t.line("a  %s  %s", plain(r.A.Name), r.A.Digest)
	t.line("b  %s  %s", plain(r.B.Name), r.B.Digest)
	t.fields("manifest", "", r.Manifest)
	t.fields("config", "", r.Config)
	if len(r.Layers) > 0 {
		t.line("layers")
	}
	for _, l := range r.Layers {
		t.layer(l)
	}
	if len(r.Files) > 0 {
		t.line("files")
	}
	for _, c := range r.Files {
		t.line("  %s %s  %s", sign(c.Kind), plain(c.Path), summary(c))
	}
	return t.w.Flush()
}

// text writes lines; the writer keeps the first error.
type text struct{ w *bufio.Writer }

func (t text) line(format string, args ...any) { fmt.Fprintf(t.w, format+"\n", args...) }

func sign(k Kind) string { return map[Kind]string{Added: "+", Removed: "-", Changed: "~"}[k] }

func (t text) fields(title, indent string, list []Field) {
	if len(list) > 0 && title != "" {
		t.line("%s%s", indent, title)
	}
	for _, f := range list {
		switch {
		case f.A == nil:
			t.line("%s  + %s: %s", indent, plain(f.Path), plain(string(f.B)))
		case f.B == nil:
			t.line("%s  - %s: %s", indent, plain(f.Path), plain(string(f.A)))
		default:
			t.line("%s  ~ %s: %s -> %s", indent, plain(f.Path), plain(string(f.A)), plain(string(f.B)))
		}
	}
}

func (t text) layer(l Layer) {
	of := l.A
	if of == nil {
		of = l.B
	}
	number := strconv.Itoa(of.Number)
	if l.A != nil && l.B != nil && l.A.Number != l.B.Number {
		number += " -> " + strconv.Itoa(l.B.Number)
	}
	if l.Kind != Changed {
		t.line("  %s %s  %s  %d bytes  %s", sign(l.Kind), number, of.Digest, of.Size, plain(of.CreatedBy))
		return
	}
	t.line("  ~ %s  %s -> %s  %s", number, l.A.Digest, l.B.Digest, plain(of.CreatedBy))
	t.fields("", "    ", l.Fields)
	for _, c := range l.Entries {
		t.line("      %s %s  %s", sign(c.Kind), plain(c.Path), summary(c))
		if c.Content != nil {
			t.content(*c.Content)
		}
	}
	if l.Order != nil {
		t.line("      other order of entries, first %s where it has %s", plain(l.Order.A), plain(l.Order.B))
	}
	if l.Bytes != nil {
		t.line("      the same entries in other bytes: the %s differs from byte %d on", l.Bytes.Of, l.Bytes.Offset)
	}
}

// summary is the attributes of a change on one line; of content, which is long and says little, only that it differs.
func summary(c Change) string {
	var words []string
	for _, a := range c.Attributes {
		switch {
		case a.Name == "content":
			words = append(words, "content")
		case a.A == "" || a.B == "":
			value, how := a.A+a.B, ""
			if c.Kind == Changed {
				how = map[bool]string{true: "+", false: "-"}[a.A == ""]
			}
			words = append(words, how+a.Name+" "+plain(value))
		default:
			words = append(words, a.Name+" "+plain(a.A)+" -> "+plain(a.B))
		}
	}
	return strings.Join(words, ", ")
}

func (t text) content(c Content) {
	at := fmt.Sprintf("byte %d", c.Offset)
	if c.Line > 0 {
		at += fmt.Sprintf(", line %d", c.Line)
	}
	if c.Where != "" {
		at += ", " + c.Where
	}
	t.line("          %s, from %s on:", c.Form, at)
	t.line("          - %s", plain(c.A))
	t.line("          + %s", plain(c.B))
}

// plain is s, quoted when it has something else in it than what can be read.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.ContainsRune(s, unicode.ReplacementChar) {
		return strconv.Quote(s)
	}
	return s
}
