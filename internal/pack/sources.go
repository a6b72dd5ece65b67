package pack

import (
	"time"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/transport"
	"vpk/wheel"
)

// SourceOptions say where bytes come from.
type SourceOptions struct {
	CacheDir   string
	Offline    bool
	Timeout    time.Duration // of silence on a connection, 0 for the default
	UserAgent  string
	StaleSince time.Time // scratch files older than this belong to nobody
	Reporter   progress.Reporter
}

// Sources are the cache and the network, and who is told of their use.
type Sources struct {
	cache    *cas.Store
	client   *transport.Client
	wheels   *wheel.Store
	reporter progress.Reporter
	offline  bool
}

// OpenSources opens the cache. Close must be called.
func OpenSources(o SourceOptions) (*Sources, error) {
	const hint = "name another with --cache-dir or VPK_CACHE_DIR"
	cache, err := cas.Open(o.CacheDir)
	if err != nil {
		return nil, fault.Wrap(fault.Delivery, hint, err)
	}
	if err := cache.Sweep(o.StaleSince); err != nil {
		return nil, fault.Wrap(fault.Delivery, hint, err)
	}
	client, err := transport.New(transport.Options{Offline: o.Offline, ReadTimeout: o.Timeout, UserAgent: o.UserAgent})
	if err != nil {
		return nil, err
	}
	return &Sources{
		cache:    cache,
		client:   client,
		wheels:   wheel.NewStore(cache, client, wheel.Options{Progress: o.Reporter}),
		reporter: o.Reporter,
		offline:  o.Offline,
	}, nil
}

// Close ends connections.
func (s *Sources) Close() { s.client.Close() }
