package diff

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"vpk/layer/base"
)

const (
	// MaxExcerpts is how many files of a pair of layers are shown where they part.
	MaxExcerpts = 1000
	// windowSize is how much of a file is at hand to show that: the chunk that differs, and the one before it.
	windowSize = 2 * chunkSize
	// maxLine and maxBytes cut what is shown.
	maxLine  = 160
	maxBytes = 16
)

// windowStart is where to look: a chunk before the first that differs.
func windowStart(a, b []uint64) int64 {
	first := 0
	for first < len(a) && first < len(b) && a[first] == b[first] {
		first++
	}
	return int64(max(0, first-1)) * chunkSize
}

// seen is what a window shows of one file.
type seen struct {
	head  []byte // the beginning of the file, for its form
	data  []byte
	lines int // line feeds before data
}

// look reads the windows of one archive: side gives the entry that each is about.
func look(ctx context.Context, layers base.Archives, n int, windows []window, side func(pair) int) ([]seen, error) {
	wanted := make(map[int]int, len(windows))
	for i, w := range windows {
		wanted[side(w.entries)] = i
	}
	found := make([]seen, len(windows))
	at := -1
	err := layers.Walk(ctx, n, func(_ *tar.Header, content io.Reader) (err error) {
		at++
		if i, ok := wanted[at]; ok {
			found[i], err = lookInto(content, windows[i].from)
		}
		return err
	})
	return found, err
}

// lookInto reads a window that begins at a chunk.
func lookInto(content io.Reader, from int64) (seen, error) {
	var s seen
	chunk := make([]byte, chunkSize)
	for at := int64(0); at < from; at += chunkSize {
		if _, err := io.ReadFull(content, chunk); err != nil {
			return s, err
		}
		if at == 0 {
			s.head = bytes.Clone(chunk[:maxBytes])
		}
		s.lines += bytes.Count(chunk, []byte{'\n'})
	}
	data, err := io.ReadAll(io.LimitReader(content, windowSize))
	s.data = data
	if from == 0 {
		s.head = data[:min(len(data), maxBytes)]
	}
	return s, err
}

// excerpt says where two files part, as far as the windows show it, which begin at the same place of both.
func excerpt(path string, from int64, a, b seen) *Content {
	at := 0
	for at < len(a.data) && at < len(b.data) && a.data[at] == b.data[at] {
		at++
	}
	c := &Content{Offset: from + int64(at), Form: form(path, a, b)}
	switch c.Form {
	case "text":
		c.Line = a.lines + bytes.Count(a.data[:at], []byte{'\n'}) + 1
		c.A, c.B = lineAt(a.data, at), lineAt(b.data, at)
		return c
	case "bytecode":
		c.Where = bytecodePlace(c.Offset, a.head)
	}
	c.A, c.B = bytesAt(a.data, at), bytesAt(b.data, at)
	return c
}

// form says what kind of file it is.
func form(path string, a, b seen) string {
	isText := func(s seen) bool {
		return !bytes.ContainsRune(s.head, 0) && !bytes.ContainsRune(s.data, 0) && utf8.Valid(whole(s.data))
	}
	switch {
	case strings.HasSuffix(path, ".pyc"):
		return "bytecode"
	case bytes.HasPrefix(a.head, []byte(elf.ELFMAG)) && bytes.HasPrefix(b.head, []byte(elf.ELFMAG)):
		return "program"
	case isText(a) && isText(b):
		return "text"
	}
	return "data"
}

// whole is data without the parts of runes that a window cuts at its ends.
func whole(data []byte) []byte {
	for i := 0; i < utf8.UTFMax-1 && len(data) > 0 && !utf8.RuneStart(data[0]); i++ {
		data = data[1:]
	}
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if last := data[len(data)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

// lineAt is the line around a place, without its end, cut around the place where it is long.
func lineAt(data []byte, at int) string {
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	end := len(data)
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		end = at + i
	}
	if end-start <= maxLine {
		return string(whole(data[start:end]))
	}
	left, right := "", ""
	if from := at - maxLine/2; from > start {
		start, left = from, "…"
	}
	if start+maxLine < end {
		end, right = start+maxLine, "…"
	}
	return left + string(whole(data[start:end])) + right
}

// bytesAt are the bytes from a place on in hexadecimal; nothing where the file ends.
func bytesAt(data []byte, at int) string {
	return hex.EncodeToString(data[at:min(len(data), at+maxBytes)])
}

// bytecodePlace names a place in a bytecode file by its header (PEP 552).
func bytecodePlace(offset int64, head []byte) string {
	switch {
	case offset < 4:
		return "magic number"
	case offset < 8:
		return "flags"
	case offset >= 16:
		return "code"
	case len(head) >= 8 && binary.LittleEndian.Uint32(head[4:])&1 == 0:
		return "source time and size"
	}
	return "source hash"
}

// part reads two streams side by side up to the first byte that differs; -1 when there is none.
func part(ctx context.Context, a, b io.Reader) (int64, error) {
	left, right := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		for i := range min(n, m) {
			if left[i] != right[i] {
				return at + int64(i), nil
			}
		}
		if n != m {
			return at + int64(min(n, m)), nil
		}
		ended := func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
		switch {
		case errA != nil && !ended(errA):
			return 0, errA
		case errB != nil && !ended(errB):
			return 0, errB
		case errA != nil || errB != nil:
			return -1, nil
		}
		at += int64(n)
	}
}
