package cas

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Writer writes one file that becomes an entry on Commit.
type Writer struct {
	store *Store
	kind  Kind
	file  *os.File
	name  string
}

// Create starts a file of a kind. Close must be called; without a Commit before it, nothing remains.
func (s *Store) Create(k Kind) (*Writer, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), k.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("create cache entry: %w", Fault(err))
	}
	return &Writer{store: s, kind: k, file: f, name: f.Name()}, nil
}

// Write appends.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	return n, Fault(err)
}

// File is the scratch file, for those who need to read back or seek. It is closed by Commit and Close.
func (w *Writer) File() *os.File { return w.file }

// Commit makes the file the entry named key.
func (w *Writer) Commit(key string) error {
	path, err := w.store.Path(w.kind, key)
	if err != nil {
		return err
	}
	if w.kind.Durable {
		err = w.file.Sync()
	}
	err = errors.Join(err, w.file.Chmod(0o644), w.file.Close())
	w.file = nil
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.Rename(w.name, path)
	}
	if err != nil {
		return fmt.Errorf("commit cache entry %q: %w", w.kind.Name+"/"+key, Fault(err))
	}
	w.name = ""
	if w.kind.Durable {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// Close discards what was not committed.
func (w *Writer) Close() error {
	var err error
	if w.file != nil {
		err = w.file.Close()
		w.file = nil
	}
	if w.name != "" {
		err = errors.Join(err, os.Remove(w.name))
		w.name = ""
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// PutRecord writes a small entry that carries its own checksum.
func (s *Store) PutRecord(k Kind, key string, data []byte) error {
	w, err := s.Create(k)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	sum := sha256.Sum256(data)
	if _, err := w.Write(sum[:]); err != nil {
		return fmt.Errorf("write cache record: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write cache record: %w", err)
	}
	return w.Commit(key)
}

// Record reads a small entry; fs.ErrNotExist when there is none. A damaged one is discarded and counts as none.
func (s *Store) Record(k Kind, key string) ([]byte, error) {
	var damaged error
	for {
		path, err := s.Find(k, key)
		if err != nil {
			return nil, cmp.Or(damaged, err)
		}
		data, err := readRecord(path)
		if !errors.Is(err, ErrDamaged) {
			return data, err
		}
		if err := s.Remove(k, key); err != nil {
			return nil, err
		}
		damaged = fmt.Errorf("record %q was damaged: %w", k.Name+"/"+key, fs.ErrNotExist)
	}
}

// readRecord reads a small entry. One that has another checksum than it says is ErrDamaged.
func readRecord(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) >= sha256.Size {
		if sum := sha256.Sum256(data[sha256.Size:]); bytes.Equal(sum[:], data[:sha256.Size]) {
			return data[sha256.Size:], nil
		}
	}
	return nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
}
