package pyc

import (
	"context"
	"fmt"

	"vpk/internal/cas"
)

// Kinds are what this room keeps in the cache.
func Kinds() []cas.Registration {
	return []cas.Registration{
		{Kind: bytecodeKind, Verify: cas.IsSHA256},
		{Kind: indexKind, Verify: verifyIndex},
		{Kind: placeKind, Verify: cas.IsJSON[placed]},
		{Kind: interpreterKind, Verify: cas.IsJSON[Interpreter]},
	}
}

// verifyIndex: it can be read, and its pieces follow each other.
func verifyIndex(_ context.Context, p cas.Proof) error {
	var ix index
	if err := p.DecodeJSON(&ix); err != nil {
		return err
	}
	offset := int64(0)
	for _, piece := range ix.Pieces {
		if !piece.fits(offset) {
			return fmt.Errorf("%w: the place of %q is not one", cas.ErrDamaged, piece.Path)
		}
		offset += piece.Length
	}
	return nil
}
