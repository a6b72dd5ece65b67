package main

import (
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
)

// sourceFlags say where bytes come from: the cache, the network.
type sourceFlags struct {
	cacheDir string
	offline  bool
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cacheDir, "cache-dir", "", "cache directory (default $VPK_CACHE_DIR, else vpk in the user's cache directory)")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "use nothing that is not in the cache already")
}

// staleScratch is the age at which scratch files in the cache cannot belong to a running vpk any more.
const staleScratch = 24 * time.Hour

// session is what a command works with once its words are understood.
type session struct {
	env     config.Environment
	sources *pack.Sources
	// done ends the drawing of progress, so that stderr can be written to. It may be called more than once.
	done func()
}

// open reads the environment and opens what it and the flags name. close must be called.
func (f *sourceFlags) open(s *streams) (*session, error) {
	env, err := s.environment()
	if err != nil {
		return nil, err
	}
	dir := first(f.cacheDir, env.CacheDir)
	if dir == "" {
		return nil, fault.New(fault.Usage, "set VPK_CACHE_DIR, or name one with --cache-dir", "find the cache directory: the user has none")
	}
	reporter, done := s.reporter()
	sources, err := pack.OpenSources(pack.SourceOptions{
		CacheDir:   dir,
		Offline:    f.offline || env.Offline,
		Timeout:    env.Timeout,
		UserAgent:  "vpk/" + version,
		StaleSince: time.Now().Add(-staleScratch),
		Reporter:   reporter,
	})
	if err != nil {
		done()
		return nil, err
	}
	return &session{env: env, sources: sources, done: done}, nil
}

func (s *session) close() {
	s.done()
	s.sources.Close()
}
