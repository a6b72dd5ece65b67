package layer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpk/internal/peer"
)

// mixture is n bytes in stretches of four kinds: one byte again and again, text, what has few values, what nothing compresses.
func mixture(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+20_000)
	for len(out) < n {
		stretch := 1 + random.IntN(20_000)
		switch seed := fmt.Sprint(random.Uint64()); random.IntN(4) {
		case 0:
			out = append(out, strings.Repeat(seed[:1], stretch)...)
		case 1:
			out = append(out, prose(seed, stretch)...)
		case 2:
			for _, b := range noise(seed, stretch) {
				out = append(out, b&7)
			}
		default:
			out = append(out, noise(seed, stretch)...)
		}
	}
	return out[:n]
}

// endings counts what spliced streams ended with.
type endings struct {
	kinds [3]int // of the last block: stored, fixed, dynamic
	bits  [8]int // used of the last byte
}

func (e *endings) note(raw []byte, last, end int64) {
	// Bits 1 and 2 of a block are its kind.
	bit := func(at int64) int { return int(raw[at/8]>>(at%8)) & 1 }
	e.kinds[bit(last+1)|bit(last+2)<<1]++
	e.bits[end%8]++
}

// check fails if something did not occur, without which nothing is proven.
func (e *endings) check(t *testing.T) {
	t.Helper()
	for kind, n := range e.kinds {
		if n == 0 {
			t.Errorf("no stream ended in a block of kind %d", kind)
		}
	}
	for bits, n := range e.bits {
		if n == 0 {
			t.Errorf("no stream ended with %d bits of a byte", bits)
		}
	}
}

// TestSpliceOfAnyStream: streams composed at random of blocks of every kind by several encoders.
func TestSpliceOfAnyStream(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, size := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(16<<10, 120<<10).Draw(rt, "size")
		content := mixture(rand.New(rand.NewPCG(seed, 0)), size)
		program := rapid.SliceOfN(rapid.Byte(), 1, 24).Draw(rt, "program")
		raw := compose(t, content, program)
		checkSplice(t, fmt.Sprintf("seed %d, size %d, program %x", seed, size, program), content, raw)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// TestSpliceOfZlib: what the zlib of CPython makes at every level, with every strategy and kind of flush.
func TestSpliceOfZlib(t *testing.T) {
	const script = `
import base64, json, random, sys, zlib
streams = []
for case in json.load(sys.stdin):
    r = random.Random(case["seed"])
    content = base64.b64decode(case["content"])
    z = zlib.compressobj(case["level"], zlib.DEFLATED, -case["window"], case["memory"], case["strategy"])
    raw, flush = b"", case["flush"]
    while content:
        n = r.randrange(1, 40_000) if flush else len(content)
        raw += z.compress(content[:n])
        content = content[n:]
        if flush:
            raw += z.flush(flush)
    streams.append(base64.b64encode(raw + z.flush()).decode())
json.dump(streams, sys.stdout)
`
	type zlib struct {
		Seed     int    `json:"seed"`
		Content  []byte `json:"content"`
		Level    int    `json:"level"`
		Strategy int    `json:"strategy"` // 0 default, filtered, Huffman only, runs, 4 fixed codes
		Window   int    `json:"window"`
		Memory   int    `json:"memory"`
		Flush    int    `json:"flush"` // 0 none, 1 partial, 2 sync, 3 full, 5 block
	}
	var cases []zlib
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...int) int { return from[random.IntN(len(from))] }
	for level := range 10 {
		for strategy := range 5 {
			for _, flush := range []int{0, 0, pick(1, 2, 3, 5)} {
				cases = append(cases, zlib{
					Seed: len(cases), Content: mixture(random, 16<<10+random.IntN(80_000)), Level: level, Strategy: strategy,
					Window: pick(9, 12, 15), Memory: pick(1, 8, 9), Flush: flush,
				})
			}
		}
	}
	question, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), peer.Python(t), "-c", script)
	cmd.Stdin = strings.NewReader(string(question))
	var streams [][]byte
	if err := json.Unmarshal([]byte(peer.Output(t, cmd)), &streams); err != nil {
		t.Fatal(err)
	}
	if len(streams) != len(cases) {
		t.Fatalf("%d streams of %d", len(streams), len(cases))
	}
	var seen endings
	for i, c := range cases {
		last, end := checkSplice(t, fmt.Sprintf("level %d, strategy %d, window %d, memory %d, flush %d", c.Level, c.Strategy, c.Window, c.Memory, c.Flush),
			c.Content, streams[i])
		seen.note(streams[i], last, end)
	}
	seen.check(t)
}
