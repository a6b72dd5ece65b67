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
	weight   int64         // bytes of all modules of the part
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

// readAnswers fills answers, in order. A child that died is a deathError.
func readAnswers(r io.Reader, answers []answer) error {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint64(head[1:])
	if size > maxAnswer {
		return fmt.Errorf("an answer of %d bytes is too long", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	switch head[0] {
	case 'K':
		_, err := parseAnswers(data, answers)
		return err
	case 'X':
		said, answered, _ := bytes.Cut(data, []byte{'\n'})
		n, _ := parseAnswers(answered, answers) // it ends early
		status, reason := waitStatus(string(said))
		return &deathError{at: min(n, len(answers)-1), signal: status, reason: "the compiler died: " + reason}
	}
	return fmt.Errorf("an answer of kind %q is unknown", head[0])
}

// parseAnswers fills answers and says how many there were before an error.
func parseAnswers(data []byte, answers []answer) (n int, err error) {
	short := errors.New("an answer ends early")
	take := func(n uint64) ([]byte, bool) {
		if uint64(len(data)) < n {
			return nil, false
		}
		var part []byte
		part, data = data[:n:n], data[n:]
		return part, true
	}
	for i := range answers {
		kind, ok := take(1)
		if !ok {
			return i, short
		}
		switch kind[0] {
		case 'C':
			head, ok := take(16)
			if !ok {
				return i, short
			}
			a := answer{hash: [8]byte(head)}
			if a.code, ok = take(binary.LittleEndian.Uint64(head[8:])); !ok {
				return i, short
			}
			answers[i] = a
		case 'E':
			head, ok := take(4)
			if !ok {
				return i, short
			}
			said, ok := take(uint64(binary.LittleEndian.Uint32(head)))
			if !ok {
				return i, short
			}
			answers[i] = answer{reason: string(said)}
		default:
			return i, fmt.Errorf("an answer of kind %q is unknown", kind[0])
		}
	}
	if len(data) != 0 {
		return len(answers), fmt.Errorf("%d bytes follow the last answer", len(data))
	}
	return len(answers), nil
}

// waitStatus is the signal, if any, and in words the whole of what the decimal number of wait(2) means.
func waitStatus(s string) (syscall.Signal, string) {
	var n uint32
	if _, err := fmt.Sscan(s, &n); err != nil {
		return 0, "status " + s
	}
	status := syscall.WaitStatus(n)
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
