package fault

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

func TestKindAndHintsThroughWrapping(t *testing.T) {
	inner := New(Integrity, "download it again", "verify %q: %w", "x.whl", io.ErrUnexpectedEOF)
	err := fmt.Errorf("fetch: %w", errors.Join(inner, New(Network, "check the proxy", "get")))
	if got := KindOf(err); got != Integrity {
		t.Errorf("KindOf = %d, want %d", got, Integrity)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got, want := Hints(err), []string{"download it again", "check the proxy"}; !slices.Equal(got, want) {
		t.Errorf("Hints = %q, want %q", got, want)
	}
	if got := KindOf(io.EOF); got != Other {
		t.Errorf("KindOf(io.EOF) = %d", got)
	}
	if Wrap(Lock, "h", nil) != nil {
		t.Error("Wrap(nil) is not nil")
	}
	if got := KindOf(Wrap(Package, "", inner)); got != Package {
		t.Errorf("outermost kind = %d, want %d", got, Package)
	}
}
