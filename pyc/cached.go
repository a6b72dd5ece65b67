package pyc

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"vpk/internal/cas"
	"vpk/venv/tree"
)

var (
	// bytecodeKind: the bytecode files of a part, one after the other, by SHA-256.
	bytecodeKind = cas.Kind{Name: "bytecode", Version: 2}
	// indexKind: what is where in such a file, by the key of the bytecode.
	indexKind = cas.Kind{Name: "bytecode-index", Version: 2}
)

// index describes a file of bytecode: which piece of it is the bytecode file at which path.
type index struct {
	SHA256   tree.Digest // of the whole file
	Pieces   []piece     // in the order of their modules
	Failures []Failure   // in the order of their modules

	entries []tree.Entry
}

type piece struct {
	Path   string
	Offset int64
	Length int64
	SHA256 tree.Digest
}

// content is a piece of a file in the cache. It opens the file by name each time: a build may hold very many.
type content struct {
	piece
	file string
}

func (c content) Digest() tree.Digest { return c.SHA256 }
func (c content) Size() int64         { return c.Length }

func (c content) Open() (io.ReadCloser, error) {
	f, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, c.Offset, c.Length), f}, nil
}

// load finds bytecode made before; nil when there is none, also when it was damaged.
func (c *Compiler) load(key string) (*index, error) {
	if key == "" {
		return nil, nil
	}
	data, err := c.cache.Record(indexKind, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var ix index
	if err := json.Unmarshal(data, &ix); err != nil {
		return nil, nil // made by another program; it will be written anew
	}
	f, err := c.cache.OpenFile(bytecodeKind, ix.SHA256.String())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read cached bytecode: %w", err)
	}
	if tree.Digest(h.Sum(nil)) != ix.SHA256 {
		return nil, nil
	}
	return &ix, c.open(&ix)
}

func (c *Compiler) open(ix *index) error {
	file, err := c.cache.Path(bytecodeKind, ix.SHA256.String())
	if err != nil {
		return err
	}
	for _, p := range ix.Pieces {
		ix.entries = append(ix.entries, tree.Entry{Path: p.Path, Kind: tree.File, Mode: 0o644, Content: content{p, file}})
	}
	tree.Sort(ix.entries)
	return nil
}

// maxName is the longest name of a file that Linux's file systems take. The interpreter writes no bytecode with a longer one either.
const maxName = 255

// store turns answers into bytecode files. With a key they live in the cache, without one in memory.
func (c *Compiler) store(key string, interpreter Interpreter, mode Invalidation, modules []tree.Entry, answers []answer) (*index, error) {
	var ix index
	var whole io.Writer = io.Discard
	var file *cas.Writer
	sum := sha256.New()
	if key != "" {
		var err error
		if file, err = c.cache.Create(bytecodeKind); err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		whole = io.MultiWriter(file, sum)
	}
	offset := int64(0)
	for i, a := range answers {
		module := modules[i].Path
		to := Cached(module, interpreter.CacheTag)
		if len(path.Base(to)) > maxName {
			a = answer{reason: fmt.Sprintf("the name of its bytecode would have more than %d bytes", maxName)}
		}
		if a.code == nil {
			ix.Failures = append(ix.Failures, Failure{Path: module, Reason: a.reason})
			continue
		}
		data := append(header(interpreter.Magic, mode, a.hash), a.code...)
		p := piece{Path: to, Offset: offset, Length: int64(len(data)), SHA256: sha256.Sum256(data)}
		if _, err := whole.Write(data); err != nil {
			return nil, fmt.Errorf("write bytecode: %w", err)
		}
		offset += p.Length
		ix.Pieces = append(ix.Pieces, p)
		if key == "" {
			ix.entries = append(ix.entries, tree.Entry{Path: p.Path, Kind: tree.File, Mode: 0o644, Content: tree.Bytes(data)})
		}
	}
	if key == "" {
		tree.Sort(ix.entries)
		return &ix, nil
	}
	ix.SHA256 = tree.Digest(sum.Sum(nil))
	if err := file.Commit(ix.SHA256.String()); err != nil {
		return nil, err
	}
	data, err := json.Marshal(ix)
	if err != nil {
		return nil, err
	}
	if err := c.cache.PutRecord(indexKind, key, data); err != nil {
		return nil, err
	}
	return &ix, c.open(&ix)
}

// header is the 16 bytes before the code: PEP 552.
func header(magic []byte, mode Invalidation, hash [8]byte) []byte {
	h := make([]byte, 0, 16)
	h = append(h, magic...)
	h = binary.LittleEndian.AppendUint32(h, uint32(mode))
	return append(h, hash[:]...)
}
