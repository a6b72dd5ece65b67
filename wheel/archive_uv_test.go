package wheel_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// TestUVReadsArchives: which archives uv takes when it streams them, and which are taken here. Where the two differ, the
// package comment says so.
func TestUVReadsArchives(t *testing.T) {
	uv, python := peer.UV(t), peer.Python(t)
	const text = "some content, some content, some content"
	with := func(members ...testwheel.Member) []byte {
		b := testwheel.New("a", "1")
		for _, m := range members {
			b.Member(m)
		}
		return b.Bytes()
	}
	named := func(names ...string) []byte {
		var members []testwheel.Member
		for _, n := range names {
			members = append(members, testwheel.Member{Name: n, Content: text})
		}
		return with(members...)
	}
	spoilt := func(change func(*testwheel.Member)) []byte {
		m := testwheel.Member{Name: "a.py", Content: text}
		change(&m)
		return with(m)
	}
	good := named("a.py")
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		archive []byte
		uv, vpk bool
	}{
		"good":              {good, true, true},
		"stored":            {spoilt(func(m *testwheel.Member) { m.Method = testwheel.Store }), true, true},
		"data descriptor":   {spoilt(func(m *testwheel.Member) { m.Flags = 8 }), true, true},
		"empty directories": {with(testwheel.Member{Name: "d/", Method: testwheel.Store, Mode: fs.ModeDir | 0o755}), true, true},
		"symbolic link":     {with(testwheel.Member{Name: "l", Content: "/etc/passwd", Method: testwheel.Store, Mode: fs.ModeSymlink | 0o777}), true, true},
		"made on DOS":       {bytes.Replace(good, []byte("PK\x01\x02\x14\x03"), []byte("PK\x01\x02\x14\x00"), 1), true, true},
		"two cases":         {named("a.py", "A.py"), true, true},
		"zeros behind":      {slices.Concat(good, make([]byte, 100)), true, true},
		"same member twice": {named("a.py", "a.py"), true, true},
		"comment":           {testwheel.New("a", "1").Comment("built by hand").Bytes(), true, true},

		"absolute":           {named("/a.py"), true, false},
		"leads out":          {named("../a.py"), true, false},
		"leads out and back": {named("b/../a.py"), true, false},
		"dot":                {named("./a.py"), true, false},
		"empty element":      {named("a//b.py"), true, false},
		"backslash":          {named(`a\b.py`), true, false},
		"drive":              {named("c:/a.py"), true, false},
		"zstd":               {spoilt(func(m *testwheel.Member) { m.Method, m.Raw = 93, encoder.EncodeAll([]byte(text), nil) }), true, false},

		"bytes behind":             {slices.Concat(good, []byte("x")), false, false},
		"bytes before":             {slices.Concat([]byte("#!/bin/sh\n"), good), false, false},
		"cut off":                  {good[:len(good)-1], false, false},
		"two archives":             {slices.Concat(good, good), false, false},
		"record in the comment":    {testwheel.New("a", "1").Comment("PK\x01\x02").Bytes(), false, false},
		"control character":        {named("a\nb.py"), false, false},
		"C1":                       {named("a\u0085b.py"), false, false},
		"latin-1":                  {named("caf\xe9.py"), false, false},
		"long element":             {named(strings.Repeat("a", 256)), false, false},
		"file and directory":       {named("a", "a/b.py"), false, false},
		"twice with other content": {with(testwheel.Member{Name: "a.py", Content: "1"}, testwheel.Member{Name: "a.py", Content: "2"}), false, false},
		"wrong CRC":                {spoilt(func(m *testwheel.Member) { m.CRC = testwheel.Claim(7) }), false, false},
		"wrong size":               {spoilt(func(m *testwheel.Member) { m.Size = testwheel.Claim(7) }), false, false},
		"encrypted":                {spoilt(func(m *testwheel.Member) { m.Flags = 1 }), false, false},
		"bzip2":                    {spoilt(func(m *testwheel.Member) { m.Method = 12 }), false, false},
		"not what deflate gives":   {spoilt(func(m *testwheel.Member) { m.Raw = []byte{0xff, 0xff} }), false, false},
		"other name in its header": {spoilt(func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.Name = "b.py" } }), false, false},
		"other sum in its header":  {spoilt(func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.CRC++ } }), false, false},
		"not in the directory":     {spoilt(func(m *testwheel.Member) { m.Central = func(h *testwheel.Header) { h.Offset = 0xffff } }), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := testwheel.NewServer(t)
			url := server.Add("a-1-py3-none-any.whl", c.archive)
			lock := fmt.Sprintf(lockWith, server.URL, url, fmt.Sprintf("sha256:%x", sha256.Sum256(c.archive)))
			if asked(name) {
				if got := uvInstalls(t, uv, python, lock); got != c.uv {
					t.Errorf("uv installs it: %t", got)
				}
			}
			if got := fetches(t, lock); got != c.vpk {
				t.Errorf("we fetch it: %t", got)
			}
		})
	}
}
