package pyc

import (
	"bytes"
	"context"
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
	"vpk/internal/trace"
	"vpk/pyc/marshal"
	"vpk/venv/tree"
)

var (
	// bytecodeKind: the canonical code of a part's modules, without their files' names, one after the other, by SHA-256.
	bytecodeKind = cas.Kind{Name: "bytecode", Version: 3}
	// indexKind: what is where in such a file, by the key of the bytecode.
	indexKind = cas.Kind{Name: "bytecode-index", Version: 3}
	// placeKind: the digests of the bytecode files of a part at a place, by the key that such a part has.
	placeKind = cas.Kind{Name: "bytecode-place", Version: 1}
)

// index describes a file of code: which piece of it is that of which module.
type index struct {
	SHA256   tree.Digest // of the whole file
	Pieces   []piece     // in the order of their modules, and of the file, of which they are all
	Failures []Failure   // in the order of their modules, with their paths below the root
}

// placed are the digests of the bytecode files at a place, in the order of their pieces, and how the file of code looked when they were
// computed and it was proven.
type placed struct {
	Look    string
	Digests []byte // one after the other
}

type piece struct {
	Path   string // of the module below the root
	Offset int64
	Length int64
	Gap    marshal.Gap
	Source [8]byte // hash of the source, for the header
}

// fits says whether a piece can be one that begins there.
func (p piece) fits(offset int64) bool {
	return p.Offset == offset && p.Length >= 0 && p.Length <= maxAnswer && p.Gap.At >= 0 && int64(p.Gap.At) <= p.Length
}

// bytecode is the bytecode of a part at its place in the image.
type bytecode struct {
	index
	interpreter Interpreter
	format      *marshal.Format
	root        string
	mode        Invalidation
	optimize    int
	file        string // the file in the cache that has the code, if that is cached
	entries     []tree.Entry
}

// size is that of the code.
func (ix index) size() (n int64) {
	for _, p := range ix.Pieces {
		n += p.Length
	}
	return n
}

// place is where a path below the root is in the image.
func (b *bytecode) place(below string) string { return path.Join(b.root, below) }

func (b *bytecode) cached(module string) string {
	return Cached(module, b.interpreter.CacheTag, b.optimize)
}

// failures are the modules without bytecode.
func (b *bytecode) failures() []Failure {
	var failures []Failure
	for _, f := range b.Failures {
		failures = append(failures, Failure{Path: b.place(f.Path), Reason: f.Reason})
	}
	return failures
}

// head is what comes before the code of a piece: 16 bytes (PEP 552).
func (b *bytecode) head(p piece) []byte {
	head := make([]byte, 0, 16)
	head = append(head, b.interpreter.Magic...)
	head = binary.LittleEndian.AppendUint32(head, uint32(b.mode))
	return append(head, p.Source[:]...)
}

// name is what belongs in the gap of a piece.
func (b *bytecode) name(p piece) []byte {
	return b.format.FileName("/"+b.place(p.Path), p.Gap.Shared)
}

// parts are the pieces of a bytecode file, given the code of p.
func (b *bytecode) parts(p piece, code []byte) [4][]byte {
	return [4][]byte{b.head(p), code[:p.Gap.At], b.name(p), code[p.Gap.At:]}
}

// add makes an entry of a piece, given its code.
func (b *bytecode) add(p piece, code []byte) {
	parts := b.parts(p, code)
	c := content{piece: p, of: b}
	if b.file == "" {
		entry := b.entry(c)
		entry.Content = tree.Bytes(bytes.Join(parts[:], nil))
		b.entries = append(b.entries, entry)
		return
	}
	sum := sha256.New()
	for _, part := range parts {
		sum.Write(part)
		c.size += int64(len(part))
	}
	sum.Sum(c.digest[:0])
	b.entries = append(b.entries, b.entry(c))
}

// content is a bytecode file whose code is in the cache. It opens the file there by name each time: a build may hold very many.
type content struct {
	piece
	of     *bytecode
	digest tree.Digest
	size   int64
}

func (c content) Digest() tree.Digest { return c.digest }
func (c content) Size() int64         { return c.size }

func (c content) Open() (io.ReadCloser, error) {
	f, err := os.Open(c.of.file)
	if err != nil {
		return nil, err
	}
	gap := int64(c.Gap.At)
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(
		bytes.NewReader(c.of.head(c.piece)), io.NewSectionReader(f, c.Offset, gap),
		bytes.NewReader(c.of.name(c.piece)), io.NewSectionReader(f, c.Offset+gap, c.Length-gap),
	), f}, nil
}

// load finds code made before and reports whether there was some. What is damaged is not there.
func (c *Compiler) load(ctx context.Context, b *bytecode, part, key, place string) (bool, error) {
	if key == "" {
		return false, nil
	}
	span := trace.Start(ctx, trace.LookUp, part)
	defer span.End()
	data, err := c.cache.Record(indexKind, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var ix index
	if err := json.Unmarshal(data, &ix); err != nil {
		return false, nil // made by another program; it will be written anew
	}
	f, err := c.cache.OpenFile(bytecodeKind, ix.SHA256.String())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	b.index, b.file = ix, f.Name()
	err = c.enter(b, f, place)
	if err = errors.Join(err, f.Close()); err != nil && !errors.Is(err, errDamaged) {
		return false, fmt.Errorf("read cached bytecode: %w", err)
	} else if err != nil {
		b.index, b.file, b.entries = index{}, "", nil
		return false, nil
	}
	tree.Sort(b.entries)
	span.Bytes(b.size())
	return true, nil
}

var errDamaged = errors.New("the file is damaged")

// enter makes the entries from a file of code. It is read, unless it looks as it did when it was read last, in this boot.
func (c *Compiler) enter(b *bytecode, f *os.File, place string) error {
	if c.boot == "" {
		return b.read(f)
	}
	look, err := cas.LookAt(c.boot, "", f.Name())
	if err != nil {
		return err
	}
	var known placed
	data, err := c.cache.Record(placeKind, place)
	if err == nil && json.Unmarshal(data, &known) == nil && known.Look == look.Sum && b.known(known.Digests) {
		return nil
	}
	if err := b.read(f); err != nil {
		return err
	}
	_ = c.remember(look, place, b.entries) // a cache that can't be written to costs another reading, and nothing else
	return nil
}

// remember notes the digests of entries, in the order of their pieces, of a file of code that looks so, unless it is too new for that.
func (c *Compiler) remember(look cas.Look, place string, entries []tree.Entry) error {
	if ok, err := c.cache.IsSettled(placeKind, look); err != nil || !ok {
		return err
	}
	known := placed{Look: look.Sum}
	for _, e := range entries {
		digest := e.Content.Digest()
		known.Digests = append(known.Digests, digest[:]...)
	}
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return c.cache.PutRecord(placeKind, place, data)
}

// known makes the entries from the digests of their files; false where these are others' digests.
func (b *bytecode) known(digests []byte) bool {
	if len(digests) != len(b.Pieces)*len(tree.Digest{}) {
		return false
	}
	offset := int64(0)
	for _, p := range b.Pieces {
		if !p.fits(offset) {
			b.entries = nil
			return false
		}
		offset += p.Length
		digest := tree.Digest(digests[:len(tree.Digest{})])
		digests = digests[len(digest):]
		b.entries = append(b.entries, b.entry(content{piece: p, of: b, digest: digest, size: 16 + p.Length + int64(len(b.name(p)))}))
	}
	return true
}

// entry is the bytecode file with that content.
func (b *bytecode) entry(c content) tree.Entry {
	return tree.Entry{Path: b.place(b.cached(c.Path)), Kind: tree.File, Mode: 0o644, Content: c}
}

// read makes the entries from a file of code, and proves the file in the same pass.
func (b *bytecode) read(f io.Reader) error {
	sum := sha256.New()
	var code []byte
	offset := int64(0)
	for _, p := range b.Pieces {
		if !p.fits(offset) {
			return errDamaged
		}
		if int64(cap(code)) < p.Length {
			code = make([]byte, p.Length)
		}
		code = code[:p.Length]
		if _, err := io.ReadFull(f, code); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errDamaged
		} else if err != nil {
			return err
		}
		offset += p.Length
		sum.Write(code)
		b.add(p, code)
	}
	if n, err := io.Copy(sum, f); err != nil {
		return err
	} else if n > 0 || tree.Digest(sum.Sum(nil)) != b.SHA256 {
		return errDamaged
	}
	return nil
}

// maxName is the longest name of a file that Linux's file systems take. The interpreter writes no bytecode with a longer one either.
const maxName = 255

// store turns answers into bytecode files. With a key the code lives in the cache, without one in memory.
func (c *Compiler) store(ctx context.Context, b *bytecode, part, key string, modules []tree.Entry, answers []answer) error {
	span := trace.Start(ctx, trace.Store, part)
	defer span.End()
	var codes [][]byte
	for i, a := range answers {
		module := modules[i].Path
		if len(path.Base(b.cached(module))) > maxName {
			a = answer{reason: fmt.Sprintf("the name of its bytecode would have more than %d bytes", maxName)}
		}
		if a.code == nil {
			b.Failures = append(b.Failures, Failure{Path: module, Reason: a.reason})
			continue
		}
		p := piece{Path: module, Length: int64(len(a.code)), Gap: a.gap, Source: a.hash}
		if n := len(b.Pieces); n > 0 {
			p.Offset = b.Pieces[n-1].Offset + b.Pieces[n-1].Length
		}
		b.Pieces, codes = append(b.Pieces, p), append(codes, a.code)
	}
	if key != "" {
		if err := c.save(b, key, codes); err != nil {
			return err
		}
		span.Bytes(b.size())
	}
	for i, p := range b.Pieces {
		b.add(p, codes[i])
	}
	tree.Sort(b.entries)
	return nil
}

// save puts code into the cache.
func (c *Compiler) save(b *bytecode, key string, codes [][]byte) error {
	file, err := c.cache.Create(bytecodeKind)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	for _, code := range codes {
		sum.Write(code)
		if _, err := file.Write(code); err != nil {
			return fmt.Errorf("write bytecode: %w", err)
		}
	}
	sum.Sum(b.SHA256[:0])
	if err := file.Commit(b.SHA256.String()); err != nil {
		return err
	}
	if b.file, err = c.cache.Path(bytecodeKind, b.SHA256.String()); err != nil {
		return err
	}
	data, err := json.Marshal(b.index)
	if err != nil {
		return err
	}
	return c.cache.PutRecord(indexKind, key, data)
}
