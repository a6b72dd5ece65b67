package diff

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"vpk/layer/base"
)

// chunkSize is how much content stands behind one fingerprint.
const chunkSize = 4 << 10

// archive is a layer as it is remembered: its entries in order, of content no more than fingerprints.
type archive struct {
	entries []entry
	index   map[string][]int // by path, in order
}

type entry struct {
	path   string
	header *tar.Header
	digest [sha256.Size]byte // of a regular file
	chunks []uint64          // fingerprints of its content, chunk by chunk
}

// scan reads a layer. Fingerprints of two archives can be compared when they have the same seed.
func scan(ctx context.Context, layers base.Archives, n int, seed maphash.Seed) (*archive, error) {
	a := &archive{index: map[string][]int{}}
	buf := make([]byte, chunkSize)
	err := layers.Walk(ctx, n, func(header *tar.Header, content io.Reader) error {
		e := entry{path: entryPath(header.Name), header: header}
		if isFile(header) {
			sum := sha256.New()
			for {
				n, err := io.ReadFull(content, buf)
				if n > 0 {
					sum.Write(buf[:n])
					e.chunks = append(e.chunks, maphash.Bytes(seed, buf[:n]))
				}
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					break
				}
				if err != nil {
					return err
				}
			}
			sum.Sum(e.digest[:0])
		}
		a.index[e.path] = append(a.index[e.path], len(a.entries))
		a.entries = append(a.entries, e)
		return nil
	})
	return a, err
}

// entryPath is the path that a member's name spells: "./a/" is "a", the root is ".".
func entryPath(name string) string {
	for {
		short := strings.TrimPrefix(strings.TrimLeft(name, "/"), "./")
		if short == name {
			break
		}
		name = short
	}
	if name = strings.TrimRight(name, "/"); name == "" {
		return "."
	}
	return name
}

func isFile(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return true
	}
	return false
}

// typeNames are the words for what an entry is.
var typeNames = map[byte]string{
	tar.TypeReg: "file", tar.TypeDir: "directory", tar.TypeSymlink: "link", tar.TypeLink: "hard link",
	tar.TypeChar: "character device", tar.TypeBlock: "block device", tar.TypeFifo: "fifo",
	tar.TypeCont: "contiguous file", tar.TypeGNUSparse: "sparse file",
}

// headerRecords are the PAX records that the header's own fields hold.
var headerRecords = []string{"path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime", "atime", "ctime"}

// attributes are what an entry's header and content say, name and value by turns.
func (e entry) attributes() []string {
	h := e.header
	kind, ok := typeNames[h.Typeflag]
	if !ok {
		kind = fmt.Sprintf("type %q", h.Typeflag)
	}
	list := []string{
		"kind", kind,
		"name", h.Name,
		"mode", fmt.Sprintf("%04o", h.Mode),
		"owner", fmt.Sprintf("%d:%d", h.Uid, h.Gid),
		"names", pairOf(h.Uname, h.Gname),
		"mtime", timeOf(h.ModTime),
		"atime", timeOf(h.AccessTime),
		"ctime", timeOf(h.ChangeTime),
		"target", h.Linkname,
		"format", h.Format.String(),
	}
	if isFile(h) {
		list = append(list, "size", fmt.Sprint(h.Size), "content", fmt.Sprintf("sha256:%x", e.digest))
	}
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		list = append(list, "device", fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor))
	}
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if !slices.Contains(headerRecords, key) {
			list = append(list, "pax:"+key, fmt.Sprintf("%q", h.PAXRecords[key]))
		}
	}
	return list
}

// pairOf is a user's and a group's name, empty where there is neither.
func pairOf(user, group string) string {
	if user == "" && group == "" {
		return ""
	}
	return user + ":" + group
}

// timeOf is a time in words, empty where there is none.
func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// differing puts two lists of names and values next to each other: what differs, in the order of the first list and then of
// what only the second has. Names are distinct within a list.
func differing(a, b []string) []Attribute {
	values := make(map[string]string, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		values[b[i]] = b[i+1]
	}
	found := []Attribute{}
	for i := 0; i < len(a); i += 2 {
		if other := values[a[i]]; other != a[i+1] {
			found = append(found, Attribute{Name: a[i], A: a[i+1], B: other})
		}
		delete(values, a[i])
	}
	for i := 0; i < len(b); i += 2 {
		if value := values[b[i]]; value != "" {
			found = append(found, Attribute{Name: b[i], B: value})
		}
	}
	return found
}

// window is a place in the content of an entry that is worth showing.
type window struct {
	entries pair // of the two archives
	from    int64
	change  int // the index of the change that it belongs to
}

// compareArchives compares entry by entry. The windows say where changed contents part; the contents are not at hand here.
func compareArchives(a, b *archive) (changes []Change, order *Order, windows []window) {
	changes = []Change{}
	for _, path := range slices.Sorted(maps.Keys(unionOf(a.index, b.index))) {
		left, right := a.index[path], b.index[path]
		for i := range max(len(left), len(right)) {
			switch {
			case i >= len(right):
				changes = append(changes, Change{Kind: Removed, Path: path, Attributes: differing(a.entries[left[i]].attributes(), nil)})
				continue
			case i >= len(left):
				changes = append(changes, Change{Kind: Added, Path: path, Attributes: differing(nil, b.entries[right[i]].attributes())})
				continue
			}
			x, y := a.entries[left[i]], b.entries[right[i]]
			attributes := differing(x.attributes(), y.attributes())
			if len(attributes) == 0 {
				continue
			}
			if isFile(x.header) && isFile(y.header) && x.digest != y.digest && len(windows) < MaxExcerpts {
				windows = append(windows, window{pair{left[i], right[i]}, windowStart(x.chunks, y.chunks), len(changes)})
			}
			changes = append(changes, Change{Kind: Changed, Path: path, Attributes: attributes})
		}
	}
	return changes, compareOrder(a, b), windows
}

// unionOf has the keys of both.
func unionOf(a, b map[string][]int) map[string]bool {
	all := make(map[string]bool, len(a))
	for path := range a {
		all[path] = true
	}
	for path := range b {
		all[path] = true
	}
	return all
}

// compareOrder finds the first place at which the entries that both archives have stand in another order; nil when there is none.
func compareOrder(a, b *archive) *Order {
	shared := func(of, other *archive) []string {
		var paths []string
		seen := map[string]int{}
		for _, e := range of.entries {
			if seen[e.path]++; seen[e.path] <= len(other.index[e.path]) {
				paths = append(paths, e.path)
			}
		}
		return paths
	}
	x, y := shared(a, b), shared(b, a)
	for i := range x {
		if x[i] != y[i] {
			return &Order{A: x[i], B: y[i]}
		}
	}
	return nil
}
