package venv

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

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

// parseRecord reads RECORD (PEP 376, as uv reads it: wheel.rs:794): CSV, three fields each, LF or CRLF, the size a number or
// empty. Paths come out clean, and relative even if they were written with a leading slash. Hashes are not looked into.
func parseRecord(data []byte) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = 3
	r.LazyQuotes = true
	r.ReuseRecord = true
	var rows []row
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err // says the line
		}
		one := row{path: path.Clean(strings.TrimLeft(fields[0], "/")), hash: fields[1], size: -1}
		if fields[2] != "" {
			if one.size, err = strconv.ParseInt(fields[2], 10, 64); err != nil || one.size < 0 {
				line, _ := r.FieldPos(2)
				return nil, fmt.Errorf("line %d: size %q is not a number", line, fields[2])
			}
		}
		rows = append(rows, one)
	}
}

// formatRecord writes rows as uv does: sorted bytewise by path, hash and size, quoted only where CSV needs it.
func formatRecord(rows []row) []byte {
	sorted := slices.SortedFunc(slices.Values(rows), func(a, b row) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.hash, b.hash), cmp.Compare(a.size, b.size))
	})
	var b bytes.Buffer
	for _, r := range sorted {
		size := ""
		if r.size >= 0 {
			size = strconv.FormatInt(r.size, 10)
		}
		b.WriteString(csvField(r.path) + "," + csvField(r.hash) + "," + size + "\n")
	}
	return b.Bytes()
}

// csvField quotes where it must. The standard writer also quotes fields that begin with a space, which uv does not.
func csvField(s string) string {
	if strings.ContainsAny(s, "\",\r\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// relative is the path of p as seen from the directory dir, both relative to the prefix.
func relative(dir, p string) string {
	from := strings.Split(dir, "/")
	to := strings.Split(p, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(to, "/")
}
