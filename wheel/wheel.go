package wheel

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"vpk/internal/fault"
	"vpk/venv/tree"
	"vpk/wheel/tag"
)

// Wheel is a verified wheel in the cache. Its methods and its members' may be called from any goroutine.
type Wheel struct {
	// Filename is the name that it was asked for by.
	Filename tag.Filename
	// SHA256 of the archive, in hexadecimal.
	SHA256 string
	// Size of the archive in bytes.
	Size int64
	// Cached tells that nothing had to be downloaded or copied, Downloaded how many bytes came over the network.
	Cached     bool
	Downloaded int64

	members []Member
	archive archive
}

func newWheel(name tag.Filename, sha256 string, index *Index) *Wheel {
	w := &Wheel{Filename: name, SHA256: sha256, Size: index.ArchiveSize}
	w.members = make([]Member, len(index.Members))
	for i := range index.Members {
		w.members[i] = Member{wheel: w, info: &index.Members[i]}
	}
	return w
}

// Members are the regular files, sorted by name, each once. The slice is shared: do not change it.
func (w *Wheel) Members() []Member { return w.members }

// Member finds a file by its name.
func (w *Wheel) Member(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(w.members, name, func(m Member, name string) int { return cmp.Compare(m.info.Name, name) })
	if !ok {
		return Member{}, false
	}
	return w.members[i], true
}

// ReadFile reads a whole member of at most limit bytes. Without such a member the error is an fs.ErrNotExist; with a
// larger one it has the kind fault.Integrity.
func (w *Wheel) ReadFile(name string, limit int64) ([]byte, error) {
	m, ok := w.Member(name)
	if !ok {
		return nil, fmt.Errorf("read member %q of wheel %q: %w", name, w.Filename, fs.ErrNotExist)
	}
	if m.Size() > limit {
		return nil, fault.New(fault.Integrity, "", "read member %q of wheel %q: it has %d bytes, at most %d are accepted", name, w.Filename, m.Size(), limit)
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	data := make([]byte, m.Size())
	_, err = io.ReadFull(r, data)
	if err == nil {
		// The end is where the checksum is compared.
		if _, err = r.Read(make([]byte, 1)); err == io.EOF {
			err = nil
		}
	}
	return data, errors.Join(err, r.Close())
}

// Close closes the archive. Members can be asked for what the index knows afterwards, but not opened.
func (w *Wheel) Close() error { return w.archive.close() }

// archive is the wheel's file, opened when it is first needed and read with pread.
type archive struct {
	path string
	// discard removes the file from the cache.
	discard func() error

	mu     sync.Mutex
	file   *os.File
	closed bool
}

func (a *archive) open() (io.ReaderAt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fs.ErrClosed
	}
	if a.file == nil {
		f, err := os.Open(a.path)
		if err != nil {
			return nil, err
		}
		a.file = f
	}
	return a.file, nil
}

func (a *archive) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// Member is one regular file of a wheel. It implements tree.Content.
type Member struct {
	wheel *Wheel
	info  *Info
}

var _ tree.Deflated = Member{}

// Name is the member's path in the archive: clean, relative, slash-separated.
func (m Member) Name() string { return m.info.Name }

// Executable tells whether any executable bit of its mode is set.
func (m Member) Executable() bool { return m.info.Executable }

// Size implements tree.Content.
func (m Member) Size() int64 { return m.info.Size }

// Digest implements tree.Content.
func (m Member) Digest() tree.Digest { return m.info.SHA256 }

// Info is everything that the index knows. It is shared: do not change it.
func (m Member) Info() *Info { return m.info }

// Raw is the member's bytes as they are in the archive: the deflate stream, or the content if it is stored. They are not
// verified: whoever uses them checks Info's CRC-32 or digest.
func (m Member) Raw() (*io.SectionReader, error) {
	file, err := m.wheel.archive.open()
	if err != nil {
		return nil, fmt.Errorf("open member %q of wheel %q: %w", m.info.Name, m.wheel.Filename, err)
	}
	return io.NewSectionReader(file, m.info.Offset, m.info.Compressed), nil
}

// Deflate implements tree.Deflated.
func (m Member) Deflate() (tree.Deflate, bool) {
	return tree.Deflate{
		Size: m.info.Compressed, CRC32: m.info.CRC32, LastBlock: m.info.LastBlock, End: m.info.End, Open: m.Raw,
	}, m.info.End > 0
}

// Open implements tree.Content. The reader ends with an error, not io.EOF, when the bytes are not those that were
// proved when the wheel came into the cache.
func (m Member) Open() (io.ReadCloser, error) {
	raw, err := m.Raw()
	if err != nil {
		return nil, err
	}
	return newMemberReader(m, raw), nil
}
