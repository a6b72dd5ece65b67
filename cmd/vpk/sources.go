package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
)

// sourceFlags say where bytes come from: the cache, the network, mirrors; and where uv's settings are.
type sourceFlags struct {
	cacheDir   string
	noCache    bool
	offline    bool
	mirrors    []string
	configFile string
	noConfig   bool

	// parent is the cache of the vpk that started this one, to use in any case.
	parent string
}

const cacheDirUsage = "cache directory `DIR` (default $VPK_CACHE_DIR, else vpk in the user's cache directory)"

func (f *sourceFlags) add(cmd *cobra.Command) {
	flags, add := section(cmd, headingSources)
	defer add()
	flags.StringVar(&f.cacheDir, "cache-dir", "", cacheDirUsage)
	flags.BoolVar(&f.noCache, "no-cache", false, "use a new cache, for this run alone")
	flags.BoolVar(&f.offline, "offline", false, "use nothing that is not on this machine already")
	flags.StringArrayVar(&f.mirrors, "mirror", nil, "`FROM=TO`: look for files whose URL begins with FROM at TO, a URL or a directory (repeatable)")
	flags.StringVar(&f.configFile, "config-file", "", "take uv's settings from this `FILE` alone, a uv.toml")
	flags.BoolVar(&f.noConfig, "no-config", false, "take uv's settings from no file")
}

// environment reads the environment, over which the flags go.
func (f *sourceFlags) environment(s *streams) (config.Environment, error) {
	env, err := s.environment()
	if err != nil {
		return env, err
	}
	env.CacheDir, env.NoCache = first(f.cacheDir, env.CacheDir), f.noCache || env.NoCache
	if f.parent != "" {
		if env.NoCache {
			env.CacheFallback = nil
		}
		env.CacheDir, env.NoCache = f.parent, false
	}
	if f.offline {
		env.Settings.Offline.Set, env.Settings.Offline.On = true, true
	}
	env.Files.Only = first(f.configFile, env.Files.Only)
	env.Files.None = f.noConfig || env.Files.None
	var given []config.Mirror
	for _, text := range f.mirrors {
		m, err := config.ParseMirror(text)
		if err != nil {
			return env, fault.New(fault.Usage, "try --mirror https://files.example=https://mirror.example/files", "read --mirror: %w", err)
		}
		given = append(given, m)
	}
	env.Mirrors = append(given, env.Mirrors...)
	return env, nil
}

// staleScratch is the age at which scratch files in the cache cannot belong to a running vpk any more.
const staleScratch = 24 * time.Hour

// session is what a command works with once its words are understood.
type session struct {
	env     config.Environment
	sources *pack.Sources
	// done ends the drawing of progress, so that stderr can be written to. It may be called more than once.
	done func()
	err  io.Writer
}

// open opens what the environment and the flags name, for a command without a project.
func (f *sourceFlags) open(ctx context.Context, s *streams) (*session, error) {
	env, err := f.environment(s)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, env, nil)
}

var errNoCacheDir = fault.New(fault.Usage, "set VPK_CACHE_DIR, or name one with --cache-dir", "find the cache directory: the user has none")

// open opens what the environment names, for a project that is configured, or, where p is nil, for none. close must be called.
func (s *streams) open(ctx context.Context, env config.Environment, p *pack.Project) (*session, error) {
	if env.CacheDir == "" && !env.NoCache {
		return nil, errNoCacheDir
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, fault.Wrap(fault.Usage, "", err)
	}
	o := pack.SourceOptions{
		CacheDir:   env.CacheDir,
		Fallbacks:  env.CacheFallback,
		NoCache:    env.NoCache,
		TempDir:    os.TempDir(),
		Now:        time.Now(),
		Network:    env.Network,
		Logins:     env.Logins,
		Project:    p,
		UserAgent:  "vpk/" + version,
		Program:    program(),
		StaleSince: time.Now().Add(-staleScratch),
	}
	for _, m := range env.Mirrors {
		o.Mirrors = append(o.Mirrors, m.In(wd))
	}
	if p == nil {
		settings, err := pack.ReadSettings(".", env)
		if err != nil {
			return nil, err
		}
		o.Settings = *settings
	} else {
		own, err := p.Mirrors()
		if err != nil {
			return nil, err
		}
		o.Settings, o.Mirrors = *p.Settings, slices.Concat(o.Mirrors, own)
	}
	reporter, done := s.reporter()
	o.Reporter = reporter
	sources, err := pack.OpenSources(ctx, o)
	if err != nil {
		done()
		return nil, err
	}
	tell := sync.OnceFunc(sources.TellFallback)
	return &session{env: env, sources: sources, done: func() { tell(); done() }, err: s.err}, nil
}

func (s *session) close() {
	s.done()
	if err := s.sources.Close(); err != nil {
		fmt.Fprintf(s.err, "close cache: %v\n", err)
	}
}

// program names this program to the byte, as far as a file's size and times do; "" where that can't be told.
func program() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(version, " ", info.Size(), " ", info.ModTime().UnixNano())
}
