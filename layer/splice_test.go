package layer

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	kflate "github.com/klauspost/compress/flate"
	"pgregory.net/rapid"

	"vpk/internal/cas"
	"vpk/internal/testwheel"
	"vpk/venv/tree"
	"vpk/wheel"
	"vpk/wheel/tag"
)

func TestCRCCombine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "data")
		at := rapid.IntRange(0, len(data)).Draw(t, "at")
		a, b := data[:at], data[at:]
		got := crcCombine(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), int64(len(b)))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Fatalf("%08x, want %08x", got, want)
		}
	})
	// More bytes than 32 bits count: in one step as in five.
	const step = 1 << 30
	const first, gibibyte = 0xfedcba98, 0x9abcdef0
	steps, rest := uint32(first), uint32(gibibyte)
	for range 4 {
		rest = crcCombine(rest, gibibyte, step)
	}
	for range 5 {
		steps = crcCombine(steps, gibibyte, step)
	}
	if five := crcCombine(first, rest, 5*step); five != steps {
		t.Errorf("5 GiB at once %08x, one by one %08x", five, steps)
	}
}

// bits writes a deflate stream bit by bit, RFC 1951.
type bits struct {
	buf  bytes.Buffer
	last uint64
	n    uint
}

func (b *bits) write(v uint64, n uint) {
	b.last |= v << b.n
	for b.n += n; b.n >= 8; b.n -= 8 {
		b.buf.WriteByte(byte(b.last))
		b.last >>= 8
	}
}

func (b *bits) align() {
	if b.n > 0 {
		b.write(0, 8-b.n)
	}
}

// stored writes stored blocks, one at least.
func (b *bits) stored(data []byte, size int, final bool) {
	for {
		n := min(len(data), size)
		end := uint64(0)
		if final && n == len(data) {
			end = 1
		}
		b.write(end, 3)
		b.align()
		b.write(uint64(n), 16)
		b.write(uint64(^uint16(n)), 16)
		b.buf.Write(data[:n])
		if data = data[n:]; len(data) == 0 {
			return
		}
	}
}

// fixed writes a block of literals in fixed codes.
func (b *bits) fixed(data []byte, final bool) {
	end := uint64(0)
	if final {
		end = 1
	}
	b.write(end|1<<1, 3)
	reversed := func(v uint64, n uint) {
		for i := range n {
			b.write(v>>(n-1-i)&1, 1)
		}
	}
	for _, c := range data {
		if c < 144 {
			reversed(0x30+uint64(c), 8)
		} else {
			reversed(0x190+uint64(c)-144, 9)
		}
	}
	reversed(0, 7)
}

// deflate appends what an encoder makes of data, at a byte; its last block is the stream's if final says so.
func (b *bits) deflate(w interface {
	io.Writer
	Flush() error
	Close() error
	Reset(io.Writer)
}, data []byte, final bool) error {
	if b.n > 0 {
		b.stored(nil, 1, false)
	}
	w.Reset(&b.buf)
	_, err := w.Write(data)
	if err == nil && final {
		return w.Close()
	}
	if err == nil {
		err = w.Flush()
	}
	return err
}

// compose makes a stream of blocks of every kind: each byte of program says what the next piece of data becomes.
func compose(t testing.TB, data, program []byte) []byte {
	var b bits
	if len(program) == 0 {
		program = []byte{0}
	}
	for i, step := range program {
		final := i == len(program)-1
		piece := data
		if !final {
			piece = data[:len(data)*int(step>>4)/16]
		}
		data = data[len(piece):]
		level := int(step>>4) % 10
		var err error
		switch step & 7 {
		case 0:
			b.fixed(piece, final)
		case 1:
			b.stored(piece, 65535, final)
		case 2:
			b.stored(piece, 1000+int(step), final)
		case 3:
			b.fixed(nil, false)
			b.stored(piece, 65535, false)
			b.fixed(nil, final)
		case 4, 5:
			w, nerr := flate.NewWriter(nil, level)
			if err = nerr; err == nil {
				err = b.deflate(w, piece, final)
			}
		case 6:
			w, nerr := flate.NewWriter(nil, flate.HuffmanOnly)
			if err = nerr; err == nil {
				err = b.deflate(w, piece, final)
			}
		case 7:
			if step>>4 >= 10 {
				level = kflate.HuffmanOnly
			}
			w, nerr := kflate.NewWriter(nil, level)
			if err = nerr; err == nil {
				err = b.deflate(w, piece, final)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.align()
	return b.buf.Bytes()
}

// fetch gives a wheel as the cache has it.
func fetch(t testing.TB, archive []byte) *wheel.Wheel {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "x-1-py3-none-any.whl")
	if err := os.WriteFile(file, archive, 0o644); err != nil {
		t.Fatal(err)
	}
	name, err := tag.ParseFilename(filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := cas.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wheel.NewStore(cache, nil, wheel.Options{}).Fetch(t.Context(), wheel.Ref{Filename: name, Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// FuzzSplice: whatever blocks a member of a wheel consists of, spliced between others it inflates to what it was.
func FuzzSplice(f *testing.F) {
	text := bytes.Repeat([]byte("def splice(stream):\n"), 40)
	for _, program := range [][]byte{
		{0}, {1}, {2}, {3}, {0x64}, {0x95}, {6}, {0x57}, {0x80, 0x81, 0x74}, {0x03, 0x13, 0x23}, {0x41, 0x00, 0x07}, {0x44, 0x40, 0x47, 0x46, 0x42, 0x65},
		{0x10, 0x11, 0x10, 0x11, 0x10, 0x04},
	} {
		f.Add(text, program, uint16(20_000))
		f.Add([]byte{0, 0xff, 0x90, 7}, program, uint16(40_001))
		f.Add([]byte{1}, program, uint16(16_384))
	}
	f.Fuzz(func(t *testing.T, seed, program []byte, size uint16) {
		if len(seed) == 0 || len(program) > 24 {
			return
		}
		n := 16<<10 + int(size)
		content := bytes.Repeat(seed, n/len(seed)+1)[:n]
		raw := compose(t, content, program)
		checkSplice(t, "", content, raw)
	})
}

// checkSplice puts a stream into a wheel, splices it twice with something else between, and inflates the whole. It gives the bits
// where the stream's last block begins and ends.
func checkSplice(t testing.TB, name string, content, raw []byte) (last, end int64) {
	t.Helper()
	w := fetch(t, testwheel.Archive("", testwheel.Member{Name: "a", Content: string(content), Raw: raw}))
	m := w.Members()[0]
	stream, ok := m.Deflate()
	if !ok {
		t.Fatalf("%s: a stream of %d bytes cannot be spliced", name, len(raw))
	}
	entry := tree.Entry{Path: "a", Kind: tree.File, Mode: 0o644, Content: m}
	small := tree.Entry{Path: "b", Kind: tree.File, Mode: 0o644, Content: tree.Bytes("between")}
	items := []item{{Entry: entry, mode: 0o644, splice: true}, {Entry: small, mode: 0o644, splice: true}, {Entry: entry, mode: 0o644, splice: true}}
	codec := gzipCodec{spliceFrom: 16 << 10}
	var encoded bytes.Buffer
	pieces, err := codec.encode(t.Context(), &encoded, io.Discard, items)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := codec.blob(items, pieces, bytes.NewReader(encoded.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(blob)
	if err != nil {
		t.Fatal(err)
	}
	size, crc := int64(0), uint32(0)
	for _, p := range pieces {
		size, crc = size+p.Size, crcCombine(crc, p.CRC32, p.Raw)
	}
	if int64(len(data)) != size {
		t.Fatalf("%s: %d bytes, and the pieces have %d", name, len(data), size)
	}
	want, err := io.ReadAll(&tarReader{items: items})
	if err != nil {
		t.Fatal(err)
	}
	if crc32.ChecksumIEEE(want) != crc {
		t.Errorf("%s: the CRC-32 is wrong", name)
	}
	data = append(data, lastBlock[:]...)
	for peer, r := range map[string]io.Reader{
		"compress/flate": flate.NewReader(bytes.NewReader(data)), "klauspost": kflate.NewReader(bytes.NewReader(data)),
	} {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s: %d bytes of %d, %v", name, peer, len(got), len(want), err)
		}
	}
	return stream.LastBlock, stream.End
}
