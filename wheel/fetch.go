package wheel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http/httptrace"
	"os"
	"strings"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/internal/transport"
)

// places are where to get a wheel from, in this order.
func (s *Store) places(ref Ref) []Ref {
	if ref.Path != "" {
		return []Ref{ref}
	}
	mirrors := s.mirror(ref.URL, ref.Filename)
	if len(mirrors) == 0 {
		return []Ref{ref}
	}
	places := make([]Ref, len(mirrors))
	for i, place := range mirrors {
		places[i] = ref
		if strings.Contains(place, "://") {
			places[i].URL = place
		} else {
			places[i].Path = place
		}
	}
	return places
}

// makeFrom gets a wheel from the first of its places that has it, and puts it into the cache. Where none has, each is told of,
// but not files of mirrors that are not there if there is something else to tell.
func (s *Store) makeFrom(ctx context.Context, ref Ref) (*Wheel, error) {
	places := s.places(ref)
	var errs, missing []error
	for _, place := range places {
		w, err := s.make(ctx, place)
		switch {
		case err == nil:
			if from := place.where(); from != ref.where() {
				s.progress.Detail("%s is from mirror %s", ref.Filename, from)
			}
			return w, nil
		case len(places) == 1, ctx.Err() != nil:
			return nil, err
		case place.Path != "" && errors.Is(err, fs.ErrNotExist):
			missing = append(missing, err)
		default:
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = missing
	}
	return nil, fault.Wrap(fault.KindOf(errs[0]), "check the mirror rules: --mirror, VPK_MIRROR, [[tool.vpk.mirror]]", fmt.Errorf("no mirror has it: %w", errors.Join(errs...)))
}

// where is a place as messages show it.
func (r Ref) where() string {
	if r.Path != "" {
		return r.Path
	}
	return transport.Redact(r.URL)
}

// make gets a wheel that is not in the cache, and puts it there.
func (s *Store) make(ctx context.Context, ref Ref) (*Wheel, error) {
	w, err := s.try(ctx, ref)
	// Two answers put together may be of two files: then the whole is asked for once more.
	if torn := (*tornError)(nil); errors.As(err, &torn) {
		s.progress.Detail("%s: %s; downloading it again", ref.Filename, torn.err)
		var again *Wheel
		if again, err = s.try(ctx, ref); again != nil {
			again.Downloaded += torn.received
			return again, nil
		}
		if second := (*tornError)(nil); errors.As(err, &second) {
			err = second.err
		}
	}
	return w, err
}

// tornError is a wrong hash of a download that was put together from several answers.
type tornError struct {
	err      error
	received int64
}

func (e *tornError) Error() string { return e.err.Error() }

// try gets a wheel once: into a scratch file, verified while it is written; then it is proved; then it enters the cache.
func (s *Store) try(ctx context.Context, ref Ref) (*Wheel, error) {
	scratch, err := s.cache.Create(wheels)
	if err != nil {
		return nil, err
	}
	defer func() { _ = scratch.Close() }()
	sums := newSums(ref.Hash)
	got, err := s.receive(ctx, ref, scratch, sums)
	if err != nil {
		return nil, err
	}
	if err := s.verify(ref, got, sums); err != nil {
		return nil, err
	}
	sum := sums.sha256()
	// It may be here already under this digest, with another hash or none in the lock.
	same := Ref{Filename: ref.Filename, Hash: Hash{"sha256", sum}}
	if w, err := s.cached(ctx, same); err != nil {
		return nil, err
	} else if w != nil {
		if err := s.alias(ref.Hash, sum); err != nil {
			return nil, err
		}
		w.Cached, w.Downloaded = got.received == 0, got.received
		return w, nil
	}
	index, err := s.index(ctx, ref.Filename.String(), scratch.File(), got.size)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx, ref, sum, index, scratch); err != nil {
		return nil, err
	}
	path, err := s.cache.Path(wheels, sum)
	if err != nil {
		return nil, err
	}
	w := s.open(ref, sum, path, index)
	w.Downloaded = got.received
	return w, nil
}

// enter puts a proved wheel into the cache. The record goes first: one without its wheel harms nobody.
func (s *Store) enter(ctx context.Context, ref Ref, sum string, index *Index, scratch *cas.Writer) error {
	span := trace.Start(ctx, trace.Store, ref.Filename.String())
	defer span.End()
	span.Bytes(index.ArchiveSize)
	if err := s.cache.PutRecord(indexes, sum, index.encode()); err != nil {
		return err
	}
	if err := scratch.Commit(sum); err != nil {
		return err
	}
	return s.alias(ref.Hash, sum)
}

// alias remembers the SHA-256 of what a lock knows by another hash.
func (s *Store) alias(h Hash, sum string) error {
	if h.IsZero() || h.Algorithm == "sha256" {
		return nil
	}
	return s.cache.PutRecord(aliases, lockName(h), []byte(sum))
}

// received is what came, and how.
type received struct {
	from     string // as errors show it
	size     int64
	received int64 // over the network
	torn     bool
}

// receive copies the wheel to where its hash is computed and kept.
func (s *Store) receive(ctx context.Context, ref Ref, file io.Writer, sums *sums) (received, error) {
	if ref.Path != "" {
		return s.receiveFile(ctx, ref, file, sums)
	}
	body, span, err := s.ask(ctx, ref)
	defer span.End()
	if err != nil {
		return received{}, err
	}
	defer func() { _ = body.Close() }()
	total := ref.Size
	if total == 0 {
		total = max(0, body.Size())
	}
	task := s.progress.Task(ref.Filename.String(), total)
	defer task.Done()
	n, err := copyContext(ctx, io.MultiWriter(file, sums), counted{io.LimitReader(body, maxArchive+1), task})
	span.Bytes(body.Received())
	if err != nil {
		return received{}, err
	}
	return received{from: transport.Redact(ref.URL), size: n, received: body.Received(), torn: body.Resumed()}, nil
}

// ask begins to download a wheel. The span begins when there is a place for it among other downloads, before it has a connection.
func (s *Store) ask(ctx context.Context, ref Ref) (*transport.Body, *trace.Span, error) {
	if trace.From(ctx) == nil {
		body, err := s.client.Body(ctx, ref.URL)
		return body, nil, err
	}
	turn := trace.Wait(ctx)
	var span *trace.Span
	begin := func() {
		if span == nil {
			span = turn.Start(trace.Download, ref.Filename.String())
		}
	}
	body, err := s.client.Body(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { begin() }}), ref.URL)
	begin() // what was never asked for has a span, too
	return body, span, err
}

func (s *Store) receiveFile(ctx context.Context, ref Ref, file io.Writer, sums *sums) (received, error) {
	span := trace.Start(ctx, trace.Download, ref.Filename.String())
	defer span.End()
	src, err := os.Open(ref.Path)
	if err != nil {
		return received{}, fault.Wrap(fault.Package, "", err)
	}
	defer func() { _ = src.Close() }()
	n, err := copyContext(ctx, io.MultiWriter(file, sums), io.LimitReader(src, maxArchive+1))
	span.Bytes(n)
	if err != nil {
		return received{}, err
	}
	return received{from: ref.Path, size: n}, nil
}

// verify compares hash and size. The size alone proves nothing, and is only remarked on.
func (s *Store) verify(ref Ref, got received, sums *sums) error {
	if got.size > maxArchive {
		return fault.New(fault.Integrity, "", "the file from %q is larger than the %d bytes that are accepted", got.from, int64(maxArchive))
	}
	wrongSize := ref.Size != 0 && got.size != ref.Size
	if computed := sums.expected(); computed != ref.Hash.Hex {
		sizes := ""
		if wrongSize {
			sizes = fmt.Sprintf(" (%d bytes, expected %d)", got.size, ref.Size)
		}
		err := fault.New(fault.Integrity, "the file at this address is not the one that was locked: find out why, then lock again",
			"the file from %q has the wrong hash%s: expected %s, computed %s:%s", got.from, sizes, ref.Hash, ref.Hash.Algorithm, computed)
		if got.torn {
			return &tornError{err, got.received}
		}
		return err
	}
	if wrongSize {
		s.progress.Note("wheel %s has %d bytes where the lock says %d; its hash is right", ref.Filename, got.size, ref.Size)
	}
	return nil
}

// sums computes the SHA-256 of everything and, if another hash is expected, that too.
type sums struct {
	sha   hash.Hash
	other hash.Hash // nil unless another is expected
	hash  Hash
}

// newSums expects a hash that was checked, or none.
func newSums(expected Hash) *sums {
	s := &sums{sha: sha256.New(), hash: expected}
	if !expected.IsZero() && expected.Algorithm != "sha256" {
		s.other = algorithms[expected.Algorithm]()
	}
	return s
}

// Write implements io.Writer; it cannot fail.
func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.sha.Write(p)
	if s.other != nil {
		_, _ = s.other.Write(p)
	}
	return len(p), nil
}

func (s *sums) sha256() string { return hex.EncodeToString(s.sha.Sum(nil)) }

// expected is the digest by the expected algorithm; empty, like the expectation, where there is none.
func (s *sums) expected() string {
	switch {
	case s.hash.IsZero():
		return ""
	case s.other != nil:
		return hex.EncodeToString(s.other.Sum(nil))
	}
	return s.sha256()
}

// counted reports what is read.
type counted struct {
	io.Reader
	task progress.Task
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.task.Add(int64(n))
	return n, err
}

// copyContext copies until the end or until the context is done.
func copyContext(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := src.Read(chunk[:])
		total += int64(n)
		if _, err := dst.Write(chunk[:n]); err != nil {
			return total, err
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
