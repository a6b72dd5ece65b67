package pyc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"vpk/pyc/marshal"
	"vpk/venv/tree"
)

// The frames are described at the top of worker.py. What a worker sends is foreign: it compiles foreign code.

// Ceilings of what a worker may send.
const (
	maxHello  = 1 << 16
	maxAnswer = 1 << 30
)

// answer is what became of one module.
type answer struct {
	hash   [8]byte // of the source, as PEP 552 wants it
	code   []byte  // marshalled; after rewrite in canonical form and without the file's name
	gap    marshal.Gap
	reason string // when there is no code
}

// rewrite brings the code into canonical form.
func (a *answer) rewrite(format *marshal.Format) (err error) {
	if a.code != nil {
		a.code, a.gap, err = format.Canonical(nil, a.code)
	}
	return err
}

func readHello(r io.Reader) (Interpreter, error) {
	var size uint32
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return Interpreter{}, fmt.Errorf("read hello: %w", err)
	}
	if size > maxHello {
		return Interpreter{}, fmt.Errorf("read hello: %d bytes are too many", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Interpreter{}, fmt.Errorf("read hello: %w", err)
	}
	return parseHello(data)
}

func parseHello(data []byte) (Interpreter, error) {
	var fields [4][]byte
	for i := range fields {
		if len(data) < 4 || uint64(len(data)-4) < uint64(binary.LittleEndian.Uint32(data)) {
			return Interpreter{}, errors.New("read hello: it ends early")
		}
		n := binary.LittleEndian.Uint32(data)
		fields[i], data = data[4:4+n], data[4+n:]
	}
	i := Interpreter{CacheTag: string(fields[0]), Magic: fields[1], Version: string(fields[3])}
	switch {
	case len(data) != 0 || len(i.Magic) != 4:
		return Interpreter{}, errors.New("read hello: it is malformed")
	case i.CacheTag == "" || strings.ContainsAny(i.CacheTag, "/\x00"):
		return Interpreter{}, fmt.Errorf("read hello: cache tag %q is not one", i.CacheTag)
	case string(fields[2]) != "\x00":
		return Interpreter{}, errors.New("read hello: the interpreter randomises hashes in spite of PYTHONHASHSEED=0")
	}
	return i, nil
}

// slice is what one child compiles.
type slice struct {
	of       string // the name of the part
	root     string // which the modules are below
	modules  []tree.Entry
	weight   int64         // bytes of all files of the part
	limit    time.Duration // for one module
	optimize int
}

func (s slice) part(from, to int) slice {
	s.modules = s.modules[from:to]
	return s
}

// size is that of the sources.
func (s slice) size() (n int64) {
	for _, m := range s.modules {
		n += m.Content.Size()
	}
	return n
}

// place is where a module is in the image.
func (s slice) place(i int) string { return path.Join(s.root, s.modules[i].Path) }

func (s slice) write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	put := func(size int, n uint64) {
		var buf [8]byte
		binary.LittleEndian.PutUint64(buf[:], n)
		_, _ = b.Write(buf[:size]) // bufio keeps the error for Flush
	}
	put(4, uint64(len(s.modules)))
	put(4, uint64(max(s.limit/time.Second, 1)))
	put(1, uint64(s.optimize))
	for i, m := range s.modules {
		name := "/" + m.Path
		put(4, uint64(len(name)))
		_, _ = b.WriteString(name)
		put(8, uint64(m.Content.Size()))
		if err := copyExactly(b, m.Content); err != nil {
			return fmt.Errorf("read %q: %w", s.place(i), err)
		}
	}
	return b.Flush()
}

// child is what a child says, as its worker passes it on: io.EOF where the worker says how the child ended.
type child struct {
	worker io.Reader
	left   uint32 // of the piece
	total  int64
	ended  bool
	status syscall.WaitStatus
}

func (c *child) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.ended {
			return 0, io.EOF
		}
		var head [5]byte
		if _, err := io.ReadFull(c.worker, head[:]); err != nil {
			return 0, noEOF(err)
		}
		n := binary.LittleEndian.Uint32(head[1:])
		switch head[0] {
		case 'P':
			c.left = n
			if c.total += int64(n); c.total > maxAnswer {
				return 0, fmt.Errorf("an answer of more than %d bytes is too long", maxAnswer)
			}
		case 'K':
			c.ended, c.status = true, syscall.WaitStatus(n)
		default:
			return 0, fmt.Errorf("a worker's frame of kind %q is unknown", head[0])
		}
	}
	n, err := c.worker.Read(p[:min(len(p), int(c.left))])
	c.left -= uint32(n)
	return n, noEOF(err)
}

// noEOF is for what ends before its end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readAnswers fills answers, in order. A child that died is a deathError.
func readAnswers(worker io.Reader, answers []answer) error {
	c := &child{worker: worker}
	n, err := parseAnswers(bufio.NewReaderSize(c, 1<<15), answers)
	if c.ended && c.status != 0 {
		signal, reason := waitStatus(c.status)
		return &deathError{at: min(n, len(answers)-1), signal: signal, reason: "the compiler died: " + reason}
	}
	return err
}

// parseAnswers fills answers from all that there is, and says how many there were before an error.
func parseAnswers(r *bufio.Reader, answers []answer) (n int, err error) {
	for i := range answers {
		if answers[i], err = parseAnswer(r); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("an answer ends early: %w", io.ErrUnexpectedEOF)
			}
			return i, err
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		if err == nil {
			err = errors.New("more follows the last answer")
		}
		return len(answers), err
	}
	return len(answers), nil
}

func parseAnswer(r *bufio.Reader) (a answer, err error) {
	kind, err := r.ReadByte()
	if err != nil {
		return a, err
	}
	var head [16]byte
	switch kind {
	case 'C':
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return a, err
		}
		a.hash = [8]byte(head[:8])
		a.code, err = readBytes(r, binary.LittleEndian.Uint64(head[8:]))
	case 'E':
		if _, err := io.ReadFull(r, head[:4]); err != nil {
			return a, err
		}
		var said []byte
		said, err = readBytes(r, uint64(binary.LittleEndian.Uint32(head[:])))
		a.reason = string(said)
	default:
		err = fmt.Errorf("an answer of kind %q is unknown", kind)
	}
	return a, err
}

// readBytes reads n bytes, and takes no more memory than a mebibyte for what it is promised and does not get.
func readBytes(r io.Reader, n uint64) ([]byte, error) {
	if n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes is too long", n)
	}
	if n <= 1<<20 {
		data := make([]byte, n)
		_, err := io.ReadFull(r, data)
		return data, err
	}
	var data bytes.Buffer
	_, err := io.CopyN(&data, r, int64(n))
	return data.Bytes(), err
}

// waitStatus is the signal, if any, and in words the whole of what wait(2) says.
func waitStatus(status syscall.WaitStatus) (syscall.Signal, string) {
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGALRM:
		return syscall.SIGALRM, "it took too long"
	case status.Signaled():
		return status.Signal(), "signal " + status.Signal().String()
	}
	return 0, fmt.Sprintf("exit status %d", status.ExitStatus())
}

func isPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, fs.ErrClosed)
}
