package pyc

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzAnswers(f *testing.F) {
	f.Add([]byte("E\x01\x00\x00\x00x"), 1)
	f.Add([]byte("C12345678\x02\x00\x00\x00\x00\x00\x00\x00ab"), 1)
	f.Add([]byte("C12345678\xff\xff\xff\xff\xff\xff\xff\xff"), 2)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		answers := make([]answer, max(0, min(n, 64)))
		if n, err := parseAnswers(data, answers); err != nil {
			if n < 0 || n > len(answers) {
				t.Errorf("%d of %d answers", n, len(answers))
			}
			return
		}
		// What was accepted is the whole input, in order.
		var b bytes.Buffer
		for _, a := range answers {
			b.Write(a.hash[:])
			b.Write(a.code)
			b.WriteString(a.reason)
		}
		if b.Len() > len(data)+8*len(answers) {
			t.Errorf("%d bytes became %d", len(data), b.Len())
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00c\x04\x00\x00\x00magc\x01\x00\x00\x00\x00\x01\x00\x00\x00v"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parseHello(data)
		if err == nil && (len(i.Magic) != 4 || i.CacheTag == "" || strings.Contains(i.CacheTag, "/")) {
			t.Errorf("accepted %+v", i)
		}
	})
}
