package pyc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// FuzzAnswers: what a worker says is refused, or is whole: each byte of it is a frame's head or in an answer.
func FuzzAnswers(f *testing.F) {
	const ended = "K\x00\x00\x00\x00"
	f.Add([]byte("P\x06\x00\x00\x00E\x01\x00\x00\x00x"+ended), 1)
	f.Add([]byte("P\x01\x00\x00\x00CP\x12\x00\x00\x0012345678\x02\x00\x00\x00\x00\x00\x00\x00ab"+ended), 1)
	f.Add([]byte("P\x11\x00\x00\x00C12345678\xff\xff\xff\xff\xff\xff\xff\xff"+ended), 2)
	f.Add([]byte("P\x06\x00\x00\x00E\x01\x00\x00\x00xK\x0b\x00\x00\x00"), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		answers := make([]answer, max(0, min(n, 64)))
		said := bytes.NewReader(data)
		err := readAnswers(said, answers)
		var died *deathError
		if errors.As(err, &died) && died.at >= max(len(answers), 1) {
			t.Errorf("died at module %d of %d", died.at, len(answers))
		}
		if err != nil {
			return
		}
		want := 0
		for _, a := range answers {
			want += 1 + len(a.code) + 4 + len(a.reason)
			if a.reason == "" && a.code != nil {
				want += 12
			}
		}
		got := 0
		for rest := data[:len(data)-said.Len()]; len(rest) > 0; {
			n := int(binary.LittleEndian.Uint32(rest[1:]))
			if rest[0] == 'K' {
				break
			}
			got += n
			rest = rest[5+n:]
		}
		if got != want {
			t.Errorf("%d bytes became %d", got, want)
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
