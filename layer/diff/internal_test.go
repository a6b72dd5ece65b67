package diff

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzDocuments: a report is empty exactly when the bytes are the same, names real differences, and is the other way round when
// the documents are.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1.0}`, `{"config":{"Env":["A=1","B=2"]}}`, `{"config":{"Env":["B=2","A=1"]}}`, `{"config":{"Env":["A","A=1"]}}`,
		`{"layers":[1]}`, `{"history":[1,2,3]}`, `{"history":[2,4,3]}`, `{"a":{"b":[{"c":null}]}}`, `{"a":"\u0000<&>"}`, ` {"a":[[]]}`, `null`, `[1,2]`,
	} {
		f.Add([]byte(seed), []byte(`{"a":1,"config":{"Env":["A=1","C=3"]}}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		nothing := func(map[string]any) {}
		found, err := compareDocuments(a, b, nothing)
		if err != nil {
			return
		}
		if same := bytes.Equal(a, b); same != (len(found) == 0) {
			t.Fatalf("%q and %q: %v", a, b, found)
		}
		x, _ := document(a)
		y, _ := document(b)
		if deep := reflect.DeepEqual(x, y); deep && len(found) > 0 && found[0].Path != spelling {
			t.Fatalf("%q and %q say the same: %v", a, b, found)
		} else if !deep && found[0].Path == spelling {
			t.Fatalf("%q and %q do not say the same", a, b)
		}
		again, err := compareDocuments(b, a, nothing)
		if err != nil || (len(again) == 0) != (len(found) == 0) {
			t.Fatalf("the other way round: %v, %v", again, err)
		}
		if _, ok := object(x)["history"].([]any); ok {
			return // lists can often be aligned in several ways
		}
		if len(again) != len(found) {
			t.Fatalf("the other way round: %v, was %v", again, found)
		}
		for i, f := range found {
			if f.Path != again[i].Path || !bytes.Equal(f.A, again[i].B) || !bytes.Equal(f.B, again[i].A) {
				t.Fatalf("%v and %v", f, again[i])
			}
			if f.A != nil && !json.Valid(f.A) || f.B != nil && !json.Valid(f.B) || f.A == nil && f.B == nil {
				t.Fatalf("field %q: %s, %s", f.Path, f.A, f.B)
			}
		}
	})
}

// FuzzExcerpt: the place is the first difference, whatever the contents, and what is shown is short.
func FuzzExcerpt(f *testing.F) {
	f.Add("a.py", []byte("one\ntwo\n"), []byte("one\nTWO\n"), uint(5000))
	f.Add("a.pyc", []byte("\xa7\r\r\n\x00\x00\x00\x00abcdefghcode"), []byte("\xa7\r\r\n\x00\x00\x00\x00abcdefgh"), uint(0))
	f.Add("a.so", []byte("\x7fELFabc"), []byte("\x7fELFabd"), uint(0))
	f.Add("ä.txt", []byte("ääää"), []byte("äöää"), uint(4095))
	f.Fuzz(func(t *testing.T, path string, a, b []byte, padding uint) {
		head := bytes.Repeat([]byte("0123456789abcde\n"), int(padding%20_000)/16)
		a, b = append(bytes.Clone(head), a...), append(head, b...)
		if bytes.Equal(a, b) {
			return
		}
		want := 0
		for want < len(a) && want < len(b) && a[want] == b[want] {
			want++
		}
		fingerprints := func(data []byte) (list []uint64) {
			for chunk := range slices.Chunk(data, chunkSize) {
				sum := uint64(len(chunk))
				for _, c := range chunk {
					sum = sum*1099511628211 + uint64(c)
				}
				list = append(list, sum)
			}
			return list
		}
		from := windowStart(fingerprints(a), fingerprints(b))
		left, err := lookInto(bytes.NewReader(a), from)
		if err != nil {
			t.Fatal(err)
		}
		right, err := lookInto(bytes.NewReader(b), from)
		if err != nil {
			t.Fatal(err)
		}
		c := excerpt(path, from, left, right)
		if c.Offset != int64(want) {
			t.Fatalf("offset %d, want %d", c.Offset, want)
		}
		if c.Form == "text" && c.Line != bytes.Count(a[:want], []byte{'\n'})+1 {
			t.Fatalf("line %d", c.Line)
		}
		if len(c.A) > 3*maxLine || len(c.B) > 3*maxLine {
			t.Fatalf("long excerpts: %q, %q", c.A, c.B)
		}
		if (c.Form == "bytecode") != strings.HasSuffix(path, ".pyc") || (c.Where != "") != (c.Form == "bytecode") {
			t.Fatalf("%+v", c)
		}
		offset, err := part(t.Context(), bytes.NewReader(a), bytes.NewReader(b))
		if err != nil || offset != int64(want) {
			t.Fatalf("streams part at %d, %v", offset, err)
		}
	})
}

// TestAlign: every element is in one pair, in order; equal lists are paired throughout; what the first equivalence can pair is
// as much as a longest common subsequence.
func TestAlign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 12)
		a, b := lists.Draw(t, "a"), lists.Draw(t, "b")
		pairs := align(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }, func(i, j int) bool { return a[i]%2 == b[j]%2 })
		next := pair{}
		equal := 0
		for _, p := range pairs {
			if p.a < 0 && p.b < 0 || p.a >= 0 && p.a != next.a || p.b >= 0 && p.b != next.b {
				t.Fatalf("pairs %v", pairs)
			}
			if p.a >= 0 {
				next.a++
			}
			if p.b >= 0 {
				next.b++
			}
			if p.a >= 0 && p.b >= 0 && a[p.a] == b[p.b] {
				equal++
			}
		}
		if next != (pair{len(a), len(b)}) {
			t.Fatalf("pairs %v of %d and %d", pairs, len(a), len(b))
		}
		if want := commonLength(a, b); equal != want {
			t.Fatalf("%d equal elements are paired, want %d", equal, want)
		}
	})
}

// commonLength is the length of a longest common subsequence, by its definition.
func commonLength(a, b []int) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + commonLength(a[1:], b[1:])
	}
	best := 0
	for i, v := range b {
		if v == a[0] {
			best = 1 + commonLength(a[1:], b[i+1:])
			break
		}
	}
	return max(best, commonLength(a[1:], b))
}

func TestEntryPath(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "./a/": "a", "/a/b": "a/b", "././/a": "a", "./": ".", "": ".", "/": ".", ".": ".", ".a/": ".a"} {
		if got := entryPath(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
