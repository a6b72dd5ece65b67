package main

import (
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/pack"
	"vpk/internal/progress"
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

// open opens what the flags and the environment name. close must be called.
func (f *sourceFlags) open(env config.Environment, reporter progress.Reporter) (*pack.Sources, error) {
	dir := f.cacheDir
	if dir == "" {
		dir = env.CacheDir
	}
	return pack.OpenSources(pack.SourceOptions{
		CacheDir:   dir,
		Offline:    f.offline || env.Offline,
		Timeout:    env.Timeout,
		UserAgent:  "vpk/" + version,
		StaleSince: time.Now().Add(-staleScratch),
		Reporter:   reporter,
	})
}
