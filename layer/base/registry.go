package base

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
)

// registry is a repository of a registry, with the cache before it.
type registry struct {
	ref      Ref
	cache    *cas.Store
	puller   *remote.Puller
	offline  bool
	progress progress.Reporter
}

// downloadTries is how often a layer is asked for. The transport repeats requests that get no answer, not those whose
// answer breaks off.
const downloadTries = 3

func newRegistry(ref Ref, opts Options) (*registry, error) {
	var o []remote.Option
	if opts.Transport != nil {
		o = append(o, remote.WithTransport(opts.Transport))
	}
	if opts.Keychain != nil {
		o = append(o, remote.WithAuthFromKeychain(opts.Keychain))
	}
	puller, err := remote.NewPuller(o...)
	if err != nil {
		return nil, fmt.Errorf("prepare to ask the registry: %w", err)
	}
	return &registry{ref: ref, cache: opts.Cache, puller: puller, offline: opts.Offline, progress: opts.Progress}, nil
}

func (r *registry) repository() name.Repository { return r.ref.remote.Context() }

func (r *registry) top(ctx context.Context) (document, error) {
	if r.ref.digest != "" {
		digest, err := v1.NewHash(r.ref.digest)
		if err != nil {
			return document{}, fault.New(fault.Usage, "", "%w", err)
		}
		return r.document(ctx, digest)
	}
	key := cas.Key(r.ref.remote.Name())
	last, err := r.cache.Record(kindTag, key)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return document{}, err
	}
	if r.offline {
		digest, err := v1.NewHash(string(last))
		if err != nil {
			return document{}, fault.New(fault.Network, "run once without --offline, or name the base by digest",
				"offline, and the tag was never resolved on this machine")
		}
		return r.document(ctx, digest)
	}
	// Asking for the digest alone is cheaper, for rate limits too; not every registry tells.
	var digest v1.Hash
	if desc, err := r.puller.Head(ctx, r.ref.remote); err == nil {
		digest = desc.Digest
	} else {
		desc, err := r.puller.Get(ctx, r.ref.remote)
		if err != nil {
			return document{}, r.fail(ctx, err, string(last))
		}
		if err := r.keep(desc.Digest, desc.Manifest); err != nil {
			return document{}, err
		}
		digest = desc.Digest
	}
	doc, err := r.document(ctx, digest)
	if err == nil && string(last) != digest.String() {
		err = r.cache.PutRecord(kindTag, key, []byte(digest.String()))
	}
	return doc, err
}

// fail gives an error of the registry its kind and the user a way on.
func (r *registry) fail(ctx context.Context, err error, last string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var answer *transport.Error
	switch {
	case !errors.As(err, &answer):
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return fault.Wrap(fault.Base, "log in with `docker login "+r.repository().RegistryStr()+"`, or check the name", err)
	case answer.StatusCode == http.StatusNotFound:
		return fault.Wrap(fault.Base, "check the name and the tag", err)
	}
	hint := "check the network and the proxy settings"
	if last != "" {
		hint += "; --offline takes the last one resolved, " + last
	}
	return fault.Wrap(fault.Network, hint, err)
}

// cached reads a document from the cache. A damaged one is discarded and counts as none.
func (r *registry) cached(digest v1.Hash) ([]byte, bool) {
	f, err := r.cache.OpenFile(kindManifest, digest.Hex)
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }()
	raw, err := readDocument(f, digest)
	if err != nil {
		_ = r.cache.Remove(kindManifest, digest.Hex)
		return nil, false
	}
	return raw, true
}

func (r *registry) keep(digest v1.Hash, raw []byte) error {
	if len(raw) > MaxDocument {
		return broken("%s is larger than %d bytes", digest, MaxDocument)
	}
	w, err := r.cache.Create(kindManifest)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("keep %s: %w", digest, err)
	}
	return w.Commit(digest.Hex)
}

// missing is the error for what only the network could bring.
func (r *registry) missing(what string, digest v1.Hash) error {
	return fault.New(fault.Network, "run once without --offline", "offline, and %s %s is not in the cache", what, digest)
}

func (r *registry) document(ctx context.Context, digest v1.Hash) (document, error) {
	if digest.Algorithm != "sha256" {
		return document{}, broken("digest %q is not a SHA-256", digest)
	}
	raw, ok := r.cached(digest)
	if !ok {
		if r.offline {
			return document{}, r.missing("manifest", digest)
		}
		// The puller has proved the digest.
		desc, err := r.puller.Get(ctx, r.repository().Digest(digest.String()))
		if err != nil {
			return document{}, r.fail(ctx, err, "")
		}
		raw = desc.Manifest
		if err := r.keep(digest, raw); err != nil {
			return document{}, err
		}
	}
	return parseDocument(raw)
}

func (r *registry) config(ctx context.Context, desc v1.Descriptor) ([]byte, error) {
	if raw, ok := r.cached(desc.Digest); ok {
		return raw, nil
	}
	if r.offline {
		return nil, r.missing("config", desc.Digest)
	}
	blob, err := r.request(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer func() { _ = blob.Close() }()
	raw, err := readDocument(blob, desc.Digest)
	switch {
	case errors.Is(err, errDamaged):
		return nil, fault.Wrap(fault.Integrity, "", err)
	case err != nil:
		return nil, r.fail(ctx, err, "")
	}
	return raw, r.keep(desc.Digest, raw)
}

// request asks for a blob. What comes is not proved.
func (r *registry) request(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	layer, err := r.puller.Layer(ctx, r.repository().Digest(desc.Digest.String()))
	if err != nil {
		return nil, r.fail(ctx, err, "")
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, r.fail(ctx, err, "")
	}
	return body, nil
}

func (r *registry) blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	if f := r.cachedBlob(ctx, desc); f != nil {
		return verify(f, desc), nil
	}
	if r.offline {
		return nil, r.missing("layer", desc.Digest)
	}
	unlock, err := r.cache.Lock(ctx, kindBlob, desc.Digest.Hex)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Another process may have been faster.
	if f := r.cachedBlob(ctx, desc); f != nil {
		return verify(f, desc), nil
	}
	task := r.progress.Task("base layer "+desc.Digest.Hex[:12], desc.Size)
	defer task.Done()
	for try := 1; ; try++ {
		err := r.download(ctx, desc, task)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.Is(err, errBody) || try == downloadTries {
			return nil, fmt.Errorf("download layer %s: %w", desc.Digest, err)
		}
		r.progress.Detail("base layer %s: %v; trying again", desc.Digest, err)
	}
	f, err := r.cache.OpenFile(kindBlob, desc.Digest.Hex)
	if err != nil {
		return nil, fmt.Errorf("open layer %s: %w", desc.Digest, err)
	}
	return verify(f, desc), nil
}

// cachedBlob opens a layer of the cache after it has proved it. A damaged one is discarded and counts as none.
func (r *registry) cachedBlob(ctx context.Context, desc v1.Descriptor) *os.File {
	f, err := r.cache.OpenFile(kindBlob, desc.Digest.Hex)
	if err != nil {
		return nil
	}
	_, err = io.Copy(io.Discard, untilDone(ctx, verify(f, desc)))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, errDamaged) {
			_ = r.cache.Remove(kindBlob, desc.Digest.Hex)
		}
		return nil
	}
	return f
}

// errBody is an answer that broke off or had other bytes: worth another try.
var errBody = errors.New("incomplete answer")

// download brings a layer into the cache.
func (r *registry) download(ctx context.Context, desc v1.Descriptor, task progress.Task) error {
	span := trace.Start(ctx, trace.DownloadBase, desc.Digest.String())
	defer span.End()
	body, err := r.request(ctx, desc)
	if err != nil {
		return err
	}
	blob := verify(body, desc)
	defer func() { _ = blob.Close() }()
	w, err := r.cache.Create(kindBlob)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	var bodyErr error
	n, err := io.Copy(w, reader(func(p []byte) (int, error) {
		n, err := blob.Read(p)
		task.Add(int64(n))
		span.Bytes(int64(n))
		if err != nil && !errors.Is(err, io.EOF) {
			bodyErr = fmt.Errorf("%w: %w", errBody, err)
		}
		return n, err
	}))
	if err == nil {
		return w.Commit(desc.Digest.Hex)
	}
	task.Add(-n)
	switch {
	case bodyErr == nil:
		return fmt.Errorf("keep it: %w", err)
	case n >= desc.Size:
		return fault.Wrap(fault.Integrity, "the registry, or what is between, serves other bytes than the manifest names", bodyErr)
	}
	return r.fail(ctx, bodyErr, "")
}
