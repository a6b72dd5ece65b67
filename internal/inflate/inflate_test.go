package inflate

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"

	"vpk/internal/peer"
)

// contents have all that a decoder can be bad at: nothing, little, one byte, noise, text, matches of every length at every distance.
func contents() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 150_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var text bytes.Buffer
	for text.Len() < 500_000 {
		fmt.Fprintf(&text, "def f%d(x):\n    return x + %d\n", random.IntN(300), random.IntN(10))
	}
	var matches []byte
	for distance := 1; distance <= window; distance += 1 + distance/4 {
		for _, length := range []int{3, 4, 7, 8, 9, 15, 16, 17, 31, 63, 257, 258, 259, 600} {
			if len(matches) < distance {
				matches = append(matches, noise[:distance-len(matches)]...)
			}
			from := len(matches) - distance
			for i := range length {
				matches = append(matches, matches[from+i])
			}
			matches = append(matches, noise[length+distance], noise[distance])
		}
	}
	// Two halves that are as far from each other as can be, and a byte further.
	far := slices.Concat(noise[:window], noise[:window], noise[:1], noise[:window])
	// The rarer a byte, the longer its code.
	var skewed []byte
	for i := range 18 {
		skewed = append(skewed, bytes.Repeat([]byte{byte(i)}, 1<<i)...)
	}
	random.Shuffle(len(skewed), func(i, j int) { skewed[i], skewed[j] = skewed[j], skewed[i] })
	return map[string][]byte{
		"nothing": nil, "little": []byte("x"), "one byte": bytes.Repeat([]byte{7}, 600_000), "noise": noise, "text": text.Bytes(), "matches": matches,
		"far": far, "skewed": skewed, "all": slices.Concat(noise[:70_000], text.Bytes(), skewed, matches, noise),
	}
}

// encodings are streams of content, by what made them.
func encodings(t testing.TB, content []byte) map[string][]byte {
	streams := map[string][]byte{}
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		streams[fmt.Sprint("klauspost ", level)] = encoding(t, content, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) })
		streams[fmt.Sprint("std ", level)] = encoding(t, content, func(w io.Writer) (io.WriteCloser, error) { return stdflate.NewWriter(w, level) })
	}
	return streams
}

func encoding(t testing.TB, content []byte, encoder func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var raw bytes.Buffer
	w, err := encoder(&raw)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

func TestInflate(t *testing.T) {
	r := NewReader()
	if _, err := r.next(); err != io.EOF {
		t.Errorf("a Reader without a stream says %v", err)
	}
	for what, content := range contents() {
		for by, raw := range encodings(t, content) {
			name := what + " by " + by
			checkStream(t, r, name, content, raw)
		}
	}
}

// checkStream compares what a stream and what is left of it inflate to, and looks at where its last block is.
func checkStream(t *testing.T, r *Reader, name string, content, raw []byte) {
	t.Helper()
	r.Reset(bytes.NewReader(slices.Concat(raw, []byte("what follows"))))
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%s: %d bytes, want %d, and error %v", name, len(got), len(content), err)
	}
	begin, end := r.LastBlock()
	if (end+7)/8 != int64(len(raw)) || raw[begin/8]>>(begin%8)&1 != 1 {
		t.Fatalf("%s: last block at bits %d to %d of %d bytes", name, begin, end, len(raw))
	}
	// Without its end it is none, and gives nothing else.
	r.Reset(bytes.NewReader(raw[:len(raw)-1]))
	if got, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(content, got) {
		t.Fatalf("%s, without its last byte: %d bytes, error %v", name, len(got), err)
	}
	if begin, end := r.LastBlock(); begin != 0 || end != 0 {
		t.Fatalf("%s, without its last byte, has a last block at %d to %d", name, begin, end)
	}
	// If the last block is no longer the last, others may follow it: a stored one that begins where the last one ends.
	longer := append(slices.Clone(raw), 0)
	longer[begin/8] &^= 1 << (begin % 8)
	longer = longer[:(end+7)/8]
	if used := end % 8; used > 0 {
		longer[end/8] &= 1<<used - 1
		if used > 5 {
			longer = append(longer, 0)
		}
	} else {
		longer = append(longer, 0)
	}
	longer = append(longer, 0, 0, 0xff, 0xff, 3, 0)
	r.Reset(bytes.NewReader(longer))
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%s, continued: %d bytes, want %d, and error %v", name, len(got), len(content), err)
	}
}

// TestSource: streams come in pieces of any size, with their end or before it, and with errors.
func TestSource(t *testing.T) {
	content := contents()["all"]
	raw := encodings(t, content)["klauspost 6"]
	r := NewReader()
	for name, src := range map[string]io.Reader{
		"bytes":              iotest.OneByteReader(bytes.NewReader(raw)),
		"halves":             iotest.HalfReader(bytes.NewReader(raw)),
		"data with its end":  iotest.DataErrReader(bytes.NewReader(raw)),
		"bytes with the end": iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(raw))),
	} {
		r.Reset(src)
		if err := iotest.TestReader(r, content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	for _, at := range []int{0, 1, 100, len(raw) / 2, len(raw) - 1} {
		r.Reset(io.MultiReader(bytes.NewReader(raw[:at]), iotest.ErrReader(broken)))
		if got, err := io.ReadAll(r); err != broken || !bytes.HasPrefix(content, got) {
			t.Errorf("broken at %d: error %v", at, err)
		}
		if _, err := r.next(); err != broken {
			t.Errorf("broken at %d, asked again: error %v", at, err)
		}
	}
}

// verdict is what a decoder makes of a stream.
func verdict(r io.Reader) (content []byte, sound bool) {
	content, err := io.ReadAll(io.LimitReader(r, 64<<20))
	return content, err == nil
}

// FuzzInflate: a stream is sound if it is for klauspost and for the standard library, and has the same content; but they take
// a code of code lengths that is not complete, which zlib does not.
func FuzzInflate(f *testing.F) {
	for what, content := range contents() {
		if what == "little" || what == "skewed" {
			for _, raw := range encodings(f, content[:min(len(content), 5000)]) {
				f.Add(raw)
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader()
		r.Reset(bytes.NewReader(raw))
		got, err := io.ReadAll(io.LimitReader(r, 64<<20))
		var corrupt *CorruptError
		if err != nil && !errors.As(err, &corrupt) && err != io.ErrUnexpectedEOF {
			t.Fatalf("the error is %v", err)
		}
		if corrupt != nil && (corrupt.Offset < 0 || corrupt.Offset > int64(len(raw))+8) {
			t.Errorf("corrupt at %d of %d", corrupt.Offset, len(raw))
		}
		for name, other := range map[string]io.Reader{"klauspost": flate.NewReader(bytes.NewReader(raw)), "std": stdflate.NewReader(bytes.NewReader(raw))} {
			want, sound := verdict(other)
			switch {
			case err == nil && (!sound || !bytes.Equal(got, want)):
				t.Errorf("%d bytes, %s has %d and sound is %t", len(got), name, len(want), sound)
			case err != nil && sound && !strings.Contains(err.Error(), "code lengths"):
				t.Errorf("%v, and %s has %d bytes", err, name, len(want))
			case err != nil && !bytes.HasPrefix(want, got) && !bytes.HasPrefix(got, want):
				t.Errorf("before the fault %d bytes, and others than the %d of %s", len(got), len(want), name)
			}
		}
	})
}

// TestDamaged compares the verdict over damaged streams with that of CPython's zlib.
func TestDamaged(t *testing.T) {
	const script = `
import json, sys, zlib
answers = []
for stream in json.load(sys.stdin):
    z = zlib.decompressobj(-15)
    try:
        content = z.decompress(bytes.fromhex(stream))
        answers.append([zlib.crc32(content), len(content)] if z.eof else None)
    except zlib.error:
        answers.append(None)
json.dump(answers, sys.stdout)
`
	cases := 4_000
	if peer.InFull() {
		cases = 100_000
	}
	random := rand.New(rand.NewPCG(3, 4))
	var all [][]byte
	for _, content := range contents() {
		content = content[:min(len(content), 2_000)]
		for _, raw := range encodings(t, content) {
			all = append(all, raw)
		}
	}
	slices.SortFunc(all, bytes.Compare) // maps have no order
	streams := make([]string, cases)
	for i := range streams {
		raw := slices.Clone(all[random.IntN(len(all))])
		for range random.IntN(4) {
			// Half of the damage is in the head, where the codes are.
			at := random.IntN(len(raw))
			if random.IntN(2) == 0 {
				at = random.IntN(min(len(raw), 60))
			}
			switch random.IntN(4) {
			case 0:
				raw[at] = byte(random.Uint32())
			case 1:
				raw = raw[:max(at, 1)]
			default:
				raw[at] ^= 1 << random.IntN(8)
			}
		}
		streams[i] = fmt.Sprintf("%x", raw)
	}
	input, err := json.Marshal(streams)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), peer.Python(t), "-c", script)
	cmd.Stdin = bytes.NewReader(input)
	var answers []*[2]uint32
	if err := json.Unmarshal([]byte(peer.Output(t, cmd)), &answers); err != nil {
		t.Fatal(err)
	}
	r := NewReader()
	sound := 0
	for i, stream := range streams {
		var raw []byte
		if _, err := fmt.Sscanf(stream, "%x", &raw); err != nil {
			t.Fatal(err)
		}
		r.Reset(bytes.NewReader(raw))
		content, err := io.ReadAll(r)
		switch want := answers[i]; {
		case want == nil && err == nil:
			t.Errorf("%s: %d bytes, and zlib refuses it", stream, len(content))
		case want != nil && err != nil:
			t.Errorf("%s: %v, and zlib has %d bytes", stream, err, want[1])
		case want != nil && (*want != [2]uint32{crc32.ChecksumIEEE(content), uint32(len(content))}):
			t.Errorf("%s: %d bytes, others than the %d of zlib", stream, len(content), want[1])
		case want != nil:
			sound++
		}
	}
	if sound < cases/10 || sound > cases*9/10 {
		t.Errorf("%d of %d streams are sound: that proves little", sound, cases)
	}
	t.Logf("%d streams, %d of them sound", cases, sound)
}
