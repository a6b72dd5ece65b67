package venv

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vpk/venv/tree"
)

// row is one line of RECORD: a path relative to site-packages, a hash such as "sha256=…" (base64url, no padding) or
// none, and a size or -1 for none.
type row struct {
	path, hash string
	size       int64
}

// newRow is the row of a file that is known.
func newRow(p string, c tree.Content) row {
	d := c.Digest()
	return row{path: p, hash: "sha256=" + base64.RawURLEncoding.EncodeToString(d[:]), size: c.Size()}
}

// parseRecord reads RECORD (PEP 376, as uv reads it: wheel.rs:794): CSV in UTF-8, three fields each, the size a number,
// perhaps hexadecimal, or empty. Paths come out clean, and relative even if they were written with a leading slash. Hashes
// are not looked into.
func parseRecord(data []byte) ([]row, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	var rows []row
	for line, fields := range csvRecords(strings.TrimPrefix(string(data), "\ufeff")) {
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: %d fields, want path, hash and size", line, len(fields))
		}
		size, err := parseSize(fields[2])
		if err != nil {
			return nil, fmt.Errorf("line %d: size %q is not a number", line, fields[2])
		}
		rows = append(rows, row{path: path.Clean(strings.TrimLeft(fields[0], "/")), hash: fields[1], size: size})
	}
	return rows, nil
}

// parseSize is -1 for none.
func parseSize(s string) (int64, error) {
	base := 10
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		s, base = hex, 16
	} else if s == "" {
		return -1, nil
	}
	size, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), base, 63)
	return int64(size), err
}

// formatRecord writes rows as uv does: sorted bytewise by path, hash and size, quoted only where CSV needs it.
func formatRecord(rows []row) []byte {
	sorted := slices.SortedFunc(slices.Values(rows), func(a, b row) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.hash, b.hash), cmp.Compare(a.size, b.size))
	})
	var b bytes.Buffer
	for _, r := range sorted {
		b.WriteString(quoteCSV(r.path))
		b.WriteByte(',')
		b.WriteString(quoteCSV(r.hash))
		b.WriteByte(',')
		if r.size >= 0 {
			b.Write(strconv.AppendInt(b.AvailableBuffer(), r.size, 10))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// quoteCSV quotes where it must. The standard writer also quotes fields that begin with a space, which uv does not.
func quoteCSV(s string) string {
	if strings.ContainsAny(s, "\",\r\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// relative is the path of p as seen from the directory dir, both relative to the prefix.
func relative(dir, p string) string {
	if below, ok := strings.CutPrefix(p, dir+"/"); ok {
		return below
	}
	from := strings.Split(dir, "/")
	to := strings.Split(p, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(to, "/")
}
