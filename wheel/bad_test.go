package wheel

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/internal/testwheel"
)

// member is a good one, to be spoiled.
func member(name string, spoil func(*testwheel.Member)) []byte {
	m := testwheel.Member{Name: name, Content: "some content, some content, some content"}
	if spoil != nil {
		spoil(&m)
	}
	return testwheel.Archive("", m)
}

func named(names ...string) []byte {
	var members []testwheel.Member
	for _, n := range names {
		members = append(members, testwheel.Member{Name: n, Content: "same"})
	}
	return testwheel.Archive("", members...)
}

// patch changes bytes of the end record of an archive without a comment: at counts from its beginning.
func patch(archive []byte, at int, with ...byte) []byte {
	archive = bytes.Clone(archive)
	copy(archive[len(archive)-endSize+at:], with)
	return archive
}

func TestBadArchives(t *testing.T) {
	good := member("a", nil)
	content := "some content, some content, some content"
	compressed := testwheel.Compress(content)
	for name, tt := range map[string]struct {
		archive []byte
		want    string // in the error
	}{
		"empty":                 {nil, "not a zip archive"},
		"text":                  {[]byte("<html>not found</html>"), "not a zip archive"},
		"cut off":               {good[:len(good)-1], "not whole"},
		"cut in half":           {good[:len(good)/2], "not whole"},
		"something before":      {slices.Concat([]byte("#!/bin/sh\n"), good), "not where the end record says"},
		"something after":       {slices.Concat(good, []byte("x")), "bytes follow it"},
		"two archives":          {slices.Concat(good, member("b", nil)), "not where the end record says"},
		"comment cut off":       {patch(good, 20, 5, 0), "cut off"},
		"record in the comment": {testwheel.Archive("PK\x01\x02", testwheel.Member{Name: "a"}), "what could be a record"},
		"end record in the comment": {
			testwheel.Archive(string(patch(good, 0)[len(good)-endSize:]), testwheel.Member{Name: "a"}), "not where the end record says",
		},
		"several disks":       {patch(good, 4, 1), "several files"},
		"fewer on this disk":  {patch(good, 8, 0), "several files"},
		"wrong count":         {patch(good, 8, 2, 0, 2, 0), "has 1 entries and claims 2"},
		"gap after directory": {slices.Insert(bytes.Clone(good), len(good)-endSize, 0), "not where the end record says"},

		"absolute":           {named("/etc/passwd"), "its name is absolute"},
		"parent":             {named("../x"), "leads out of the wheel"},
		"parent inside":      {named("a/../b"), "leads out of the wheel"},
		"parent as dir":      {named("a/../"), "leads out of the wheel"},
		"backslash":          {named(`a\b`), "backslash"},
		"drive":              {named("c:/x"), "drive letter"},
		"empty name":         {named(""), "name is empty"},
		"slash":              {named("/"), "name is empty"},
		"empty element":      {named("a//b"), "empty element"},
		"dot":                {named("./a"), "empty element or a dot"},
		"newline":            {named("a\nb"), "control character"},
		"NUL":                {named("a\x00b"), "control character"},
		"C1":                 {named("a\u0085b"), "control character"},
		"latin-1":            {named("caf\xe9"), "not UTF-8"},
		"long element":       {named(strings.Repeat("a", 256)), "more than 255 bytes"},
		"file and directory": {named("a/b", "a"), `member "a": it is both a file and a directory`},
		"directory member and file": {
			testwheel.Archive("", testwheel.Member{Name: "a/b/", Method: testwheel.Store, Mode: 0o755 | os.ModeDir}, testwheel.Member{Name: "a"}),
			`member "a": it is both a file and a directory`,
		},
		"twice": {
			testwheel.Archive("", testwheel.Member{Name: "a", Content: "1"}, testwheel.Member{Name: "a", Content: "2"}), "it is there twice",
		},
		"twice with two modes": {
			testwheel.Archive("", testwheel.Member{Name: "a", Content: "1"}, testwheel.Member{Name: "a", Content: "1", Mode: 0o755}), "it is there twice",
		},
		"directory with content": {
			testwheel.Archive("", testwheel.Member{Name: "a/", Content: "x", Mode: 0o755 | os.ModeDir}), "directory with content",
		},

		"bzip2":             {member("a", func(m *testwheel.Member) { m.Method = 12 }), "compression method 12 (bzip2) is not supported"},
		"zstd":              {member("a", func(m *testwheel.Member) { m.Method = 93 }), "compression method 93 (zstd) is not supported"},
		"unknown method":    {member("a", func(m *testwheel.Member) { m.Method = 77 }), "compression method 77 (unknown) is not supported"},
		"encrypted":         {member("a", func(m *testwheel.Member) { m.Flags = 1 }), "it is encrypted"},
		"strong encryption": {member("a", func(m *testwheel.Member) { m.Flags = 1 << 6 }), "it is encrypted"},
		"patch data":        {member("a", func(m *testwheel.Member) { m.Flags = 1 << 5 }), "it is a patch"},
		"encrypted locally": {
			member("a", func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.Flags |= 1 } }), "disagree on how it is stored",
		},
		"two methods": {
			member("a", func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.Method = 0 } }), "disagree on how it is stored",
		},
		"two names": {
			member("a", func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.Name = "b" } }), `its local header names it "b"`,
		},
		"two sizes": {
			member("a", func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.Size++ } }), "disagree on its size or checksum",
		},
		"two checksums": {
			member("a", func(m *testwheel.Member) { m.Local = func(h *testwheel.Header) { h.CRC++ } }), "disagree on its size or checksum",
		},
		"no local header": {
			member("a", func(m *testwheel.Member) { m.Central = func(h *testwheel.Header) { h.Offset = 3 } }), "local header is missing",
		},
		"local header beyond": {
			member("a", func(m *testwheel.Member) { m.Central = func(h *testwheel.Header) { h.Offset = 1 << 30 } }), "local header is missing",
		},
		"lying descriptor": {lyingDescriptor(), "data descriptor and the central directory disagree"},
		"second name": {
			member("a", func(m *testwheel.Member) {
				m.Central = func(h *testwheel.Header) { h.Extra = []byte{0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, 'b'} }
			}), "another name",
		},
		"extra field cut off": {
			member("a", func(m *testwheel.Member) { m.Central = func(h *testwheel.Header) { h.Extra = []byte{1, 0, 9, 0} } }), "extra field is malformed",
		},
		"two zip64 fields": {
			member("a", func(m *testwheel.Member) {
				m.Central = func(h *testwheel.Header) { h.Extra = []byte{1, 0, 0, 0, 1, 0, 0, 0} }
			}), "two sets of zip64 sizes",
		},
		"no zip64 sizes": {
			member("a", func(m *testwheel.Member) { m.Size = testwheel.Claim(full32) }), "zip64 sizes are missing",
		},

		"claims less":          {member("a", func(m *testwheel.Member) { m.Size = testwheel.Claim(10) }), "larger than the 10 bytes it claims"},
		"claims more":          {member("a", func(m *testwheel.Member) { m.Size = testwheel.Claim(100) }), "has 40 bytes and claims 100"},
		"claims nothing":       {member("a", func(m *testwheel.Member) { m.Size = testwheel.Claim(0) }), "larger than the 0 bytes it claims"},
		"wrong checksum":       {member("a", func(m *testwheel.Member) { m.CRC = testwheel.Claim(1) }), "claims to be 00000001"},
		"bomb by claim":        {member("a", func(m *testwheel.Member) { m.Size = testwheel.Claim(1 << 31) }), "more than vpk accepts"},
		"bomb by zip64 claim":  {member("a", func(m *testwheel.Member) { m.Central = zip64(9<<30, uint64(len(compressed))) }), "at most 8589934592 are accepted"},
		"absurd zip64 claim":   {member("a", func(m *testwheel.Member) { m.Central = zip64(1<<63, 1) }), "zip64 sizes are malformed"},
		"stored with two size": {member("a", func(m *testwheel.Member) { m.Method, m.Size = testwheel.Store, testwheel.Claim(1) }), "stored and has two sizes"},
		"no deflate stream":    {member("a", func(m *testwheel.Member) { m.Raw = bytes.Repeat([]byte{0xff}, 30) }), "compressed data is damaged"},
		"deflate cut off":      {member("a", func(m *testwheel.Member) { m.Raw = compressed[:len(compressed)-3] }), "compressed data is damaged"},
		"into the directory": {
			member("a", func(m *testwheel.Member) { m.CompressedSize = testwheel.Claim(1000) }), "reaches into the central directory",
		},
		"overlap": {overlapping(), "it overlaps"},
	} {
		t.Run(name, func(t *testing.T) {
			index, err := indexBytes(t, tt.archive)
			if err == nil {
				t.Fatalf("accepted: %+v", index)
			}
			if !strings.Contains(err.Error(), tt.want) || fault.KindOf(err) != fault.Integrity {
				t.Errorf("err = %v (kind %d), want %q", err, fault.KindOf(err), tt.want)
			}
		})
	}
}

// lyingDescriptor is an archive whose data descriptor has another CRC-32 than the directory.
func lyingDescriptor() []byte {
	archive := member("a", func(m *testwheel.Member) { m.Flags = 8 })
	at := bytes.LastIndex(archive, binary.LittleEndian.AppendUint32(nil, descriptorSignature))
	archive[at+4]++
	return archive
}

// overlapping has two entries of the directory that share one member's data: the quoted overlap of zip bombs.
func overlapping() []byte {
	inner := testwheel.Archive("", testwheel.Member{Name: "inner", Content: "x", Method: testwheel.Store})
	inner = inner[:localSize+len("inner")+1]
	return testwheel.Archive("",
		testwheel.Member{Name: "outer", Content: string(inner), Method: testwheel.Store},
		testwheel.Member{Name: "inner", Raw: []byte{}, Content: "x", Method: testwheel.Store, CompressedSize: testwheel.Claim(1), Central: func(h *testwheel.Header) {
			h.Offset = localSize + uint32(len("outer"))
		}},
	)
}

// Zip64 end records, made of an ordinary archive.
func TestZip64End(t *testing.T) {
	plain := member("a", nil)
	end := plain[len(plain)-endSize:]
	size, offset := binary.LittleEndian.Uint32(end[12:]), binary.LittleEndian.Uint32(end[16:])
	make64 := func(count uint64, locate uint64, plainCount uint16) []byte {
		le := binary.LittleEndian
		out := bytes.Clone(plain[:len(plain)-endSize])
		at := uint64(len(out))
		out = le.AppendUint32(out, end64Signature)
		out = le.AppendUint64(out, end64Size-12)
		out = append(out, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		out = le.AppendUint64(out, count)
		out = le.AppendUint64(out, count)
		out = le.AppendUint64(out, uint64(size))
		out = le.AppendUint64(out, uint64(offset))
		out = le.AppendUint32(out, locator64Signature)
		out = le.AppendUint32(out, 0)
		out = le.AppendUint64(out, at+locate)
		out = le.AppendUint32(out, 1)
		out = le.AppendUint32(out, endSignature)
		out = append(out, 0, 0, 0, 0)
		out = le.AppendUint16(out, plainCount)
		out = le.AppendUint16(out, plainCount)
		out = le.AppendUint32(out, full32)
		out = le.AppendUint32(out, full32)
		return append(out, 0, 0)
	}
	if index := mustIndex(t, make64(1, 0, full16)); len(index.Members) != 1 {
		t.Errorf("members: %+v", index.Members)
	}
	mustIndex(t, make64(1, 0, 1))
	for name, tt := range map[string]struct {
		archive []byte
		want    string
	}{
		"counts differ":      {make64(1, 0, 2), "disagree"},
		"wrong locator":      {make64(1, 1, full16), "zip64 end record is malformed"},
		"wrong count":        {make64(2, 0, full16), "has 1 entries and claims 2"},
		"count out of range": {make64(1<<63, 0, full16), "zip64 end record is malformed"},
		"too many":           {make64(600_000, 0, full16), "at most 500000 are accepted"},
	} {
		if _, err := indexBytes(t, tt.archive); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: err = %v, want %q", name, err, tt.want)
		}
	}
}
