package layer

import (
	"encoding"
	"encoding/json"
	"errors"
	"io/fs"

	"vpk/internal/cas"
)

// stateKind is where hashing stood after some segments of a layer, by the keys of all of them.
var stateKind = cas.Kind{Name: "layer-state", Version: FormatVersion}

// stateInterval is how much of the tar there is between states that are kept: less is hashed in a few milliseconds.
const stateInterval = 1 << 20

// state is where hashing stood. The sums are in the form of encoding.BinaryMarshaler.
type state struct {
	Blob     []byte `json:"blob"`
	BlobSize int64  `json:"blobSize"`
	Raw      []byte `json:"raw"`
	RawSize  int64  `json:"rawSize"`
	CRC32    uint32 `json:"crc"`
}

// states are those of one layer.
type states struct {
	cache *cas.Store
	keys  []string // of the state after each segment
	kept  int64    // how far in the tar the last one is
}

func newStates(cache *cas.Store, c codec, segments []*segment) *states {
	s := &states{cache: cache, keys: make([]string, len(segments))}
	key := cas.Key("state", c.key())
	for i, seg := range segments {
		key = cas.Key(key, seg.key)
		s.keys[i] = key
	}
	return s
}

// resume puts h where it stood after as many segments as are known, and tells how many.
func (s *states) resume(h *hashing) (done int, err error) {
	for i := len(s.keys) - 1; i >= 0; i-- {
		data, err := s.cache.Record(stateKind, s.keys[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		var known state
		if json.Unmarshal(data, &known) == nil && h.restore(known) {
			s.kept = h.raw.n
			return i + 1, nil
		}
	}
	return 0, nil
}

// keep remembers where h stands after a segment, unless that is near the last place.
func (s *states) keep(h *hashing, segment int) error {
	if h.raw.n-s.kept < stateInterval {
		return nil
	}
	s.kept = h.raw.n
	known, err := h.state()
	if err != nil {
		return err
	}
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return s.cache.PutRecord(stateKind, s.keys[segment], data)
}

func (h *hashing) state() (s state, err error) {
	s = state{BlobSize: h.blob.n, RawSize: h.raw.n, CRC32: h.crc}
	if s.Blob, err = h.blob.hash.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return s, err
	}
	s.Raw, err = h.raw.hash.(encoding.BinaryMarshaler).MarshalBinary()
	return s, err
}

// restore is the reverse of state. False, and h as it was, for the state of another program.
func (h *hashing) restore(s state) bool {
	again := newHashing(h.codec)
	if again.blob.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.Blob) != nil ||
		again.raw.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.Raw) != nil {
		return false
	}
	again.blob.n, again.raw.n, again.crc = s.BlobSize, s.RawSize, s.CRC32
	*h = *again
	return true
}
