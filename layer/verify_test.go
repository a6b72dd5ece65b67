package layer_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"pgregory.net/rapid"

	"vpk/layer"
)

func verified(t rapid.TB, r io.Reader, want []byte) io.ReadCloser {
	t.Helper()
	h, size, err := v1.SHA256(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	rc, err := layer.Verify(io.NopCloser(r), h, size)
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// TestVerify: right bytes pass however they come; wrong ones never pass whole.
func TestVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "want")
		got := rapid.OneOf(rapid.Just(want), rapid.SliceOfN(rapid.Byte(), 0, 300), rapid.Custom(func(t *rapid.T) []byte {
			bit := rapid.IntRange(0, 8*len(want)).Draw(t, "bit") // the last one is beyond the end
			b := append(bytes.Clone(want), 0)
			b[bit/8] ^= 1 << (bit % 8)
			return b[:max(len(want), bit/8)]
		})).Draw(t, "got")
		wrap := rapid.SampledFrom([]func(io.Reader) io.Reader{
			iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r },
		}).Draw(t, "reader")

		out, err := io.ReadAll(verified(t, wrap(bytes.NewReader(got)), want))
		switch right := bytes.Equal(got, want); {
		case right && (err != nil || !bytes.Equal(out, want)):
			t.Fatalf("right bytes: %d of %d, %v", len(out), len(want), err)
		case !right && !errors.Is(err, layer.ErrDamaged):
			t.Fatalf("wrong bytes: %v", err)
		case !right && len(want) > 0 && len(out) >= len(want):
			t.Fatalf("wrong bytes were given away: %d of %d", len(out), len(want))
		}
	})
}

func TestVerifyPassesErrorsOn(t *testing.T) {
	failure := errors.New("the line is cut")
	rc := verified(t, io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(failure)), []byte("abcdef"))
	if _, err := io.ReadAll(rc); !errors.Is(err, failure) || errors.Is(err, layer.ErrDamaged) {
		t.Errorf("err = %v", err)
	}
	if _, err := layer.Verify(io.NopCloser(nil), v1.Hash{Algorithm: "md5", Hex: "00"}, 0); err == nil {
		t.Error("an unknown algorithm was accepted")
	}
}
