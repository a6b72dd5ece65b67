package layer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
)

// ErrDamaged is the cause of errors that say that the bytes of a blob are not what its digest and size promise.
var ErrDamaged = errors.New("damaged blob")

// Verify gives the bytes of rc and checks them against a blob's digest and size. Whoever reads it never gets the last bytes of
// a blob that is not the right one, but an error of kind Integrity that wraps ErrDamaged. Closing twice is fine.
func Verify(rc io.ReadCloser, want v1.Hash, size int64) (io.ReadCloser, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("verify blob %q: %w", want, err), rc.Close())
	}
	return &verifier{rc: rc, hash: h, want: want, left: size}, nil
}

type verifier struct {
	rc   io.ReadCloser
	hash hash.Hash
	want v1.Hash
	left int64
	err  error // what every further Read returns
	done bool  // closed
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.rc.Read(p)
	if int64(n) > v.left {
		return 0, v.fail("is longer than it should be")
	}
	v.left -= int64(n)
	v.hash.Write(p[:n])
	if err != nil && err != io.EOF {
		v.err = err
		return n, err
	}
	if v.left > 0 {
		if err == io.EOF {
			return 0, v.fail(fmt.Sprintf("ends %d bytes early", v.left))
		}
		return n, nil
	}
	if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want.Hex {
		return 0, v.fail("has digest " + v.want.Algorithm + ":" + got)
	}
	if err == nil && n > 0 { // these are the last bytes if there are no more
		var more [1]byte
		switch _, err = io.ReadFull(v.rc, more[:]); err {
		case nil:
			return 0, v.fail("is longer than it should be")
		case io.EOF:
		default:
			v.err = err
			return 0, err
		}
	}
	if err == io.EOF {
		v.err = io.EOF
	}
	return n, err
}

func (v *verifier) fail(how string) error {
	v.err = fault.New(fault.Integrity, "", "blob %s %s: %w", v.want, how, ErrDamaged)
	return v.err
}

func (v *verifier) Close() error {
	if v.done {
		return nil
	}
	v.done = true
	return v.rc.Close()
}
