package cas

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Proof is an entry to verify, and what lies beside it.
type Proof struct {
	Key  string
	Path string

	store *Store
}

// Record reads the entry as one that carries its own checksum, which is compared.
func (p Proof) Record() ([]byte, error) { return readRecord(p.Path) }

// RecordOf reads another entry of the same cache as Record does, fs.ErrNotExist when there is none.
func (p Proof) RecordOf(k Kind, key string) ([]byte, error) {
	path, err := p.store.Path(k, key)
	if err != nil {
		return nil, err
	}
	return readRecord(path)
}

// Open opens an entry of the same cache, fs.ErrNotExist when there is none.
func (p Proof) Open(k Kind, key string) (*os.File, error) {
	path, err := p.store.Path(k, key)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// IsRecord verifies a record of which only the checksum is to be proved.
func IsRecord(_ context.Context, p Proof) error {
	_, err := p.Record()
	return err
}

// IsJSON verifies a record that is a T in JSON.
func IsJSON[T any](_ context.Context, p Proof) error {
	var value T
	return p.DecodeJSON(&value)
}

// DecodeJSON reads a record that is JSON.
func (p Proof) DecodeJSON(value any) error {
	data, err := p.Record()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// IsSHA256 verifies a file whose key is its SHA-256 in hexadecimal.
func IsSHA256(ctx context.Context, p Proof) error {
	file, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	buffer := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := file.Read(buffer)
		sum.Write(buffer[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.Key {
		return fmt.Errorf("%w: its SHA-256 is %s", ErrDamaged, got)
	}
	return nil
}
