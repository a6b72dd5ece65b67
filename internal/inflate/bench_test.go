package inflate

import (
	"bytes"
	stdflate "compress/flate"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/flate"
)

// BenchmarkInflate: this test's own program, and text; whole, and in members of the size that modules have.
func BenchmarkInflate(b *testing.B) {
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	code, err := os.ReadFile(program)
	if err != nil {
		b.Fatal(err)
	}
	for _, input := range []struct {
		name    string
		content []byte
		member  int
	}{{"code", code, len(code)}, {"text", contents()["text"], 1 << 20}, {"small", code, 6 << 10}} {
		var members [][]byte
		for at := 0; at < len(input.content); at += input.member {
			content := input.content[at:min(at+input.member, len(input.content))]
			members = append(members, encoding(b, content, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 6) }))
		}
		for name, r := range map[string]io.Reader{"vpk": NewReader(), "klauspost": flate.NewReader(nil), "std": stdflate.NewReader(nil)} {
			b.Run(input.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(input.content)))
				for b.Loop() {
					for _, raw := range members {
						var err error
						if own, ok := r.(*Reader); ok {
							own.Reset(bytes.NewReader(raw))
						} else {
							err = r.(stdflate.Resetter).Reset(bytes.NewReader(raw), nil)
						}
						if err == nil {
							_, err = io.Copy(io.Discard, r)
						}
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
