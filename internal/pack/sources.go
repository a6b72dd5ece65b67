package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vpk/internal/cas"
	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/transport"
	"vpk/lockfile/pyproject"
	"vpk/wheel"
	"vpk/wheel/index"
)

// SourceOptions say where bytes come from.
type SourceOptions struct {
	CacheDir string
	// Fallbacks are caches that are only read, for what the cache does not have. Those that are none are noted.
	Fallbacks []string
	// NoCache works in a new cache that Close removes, and without Fallbacks.
	NoCache bool
	// TempDir is for a new cache where CacheDir has no place for it.
	TempDir string
	Now     time.Time // when what is found in the cache is used
	// Settings are uv's, Network and Logins what the environment says.
	Settings pyproject.Settings
	Network  config.Network
	Logins   config.Logins
	// Mirrors are rules, those that count more first; paths in them are absolute.
	Mirrors []config.Mirror
	// Project may have credentials in its URLs; nil means there is none.
	Project   *Project
	UserAgent string
	// Program names what program this is, to the byte: what it derived at length is not believed by another. Empty: nothing is.
	Program    string
	StaleSince time.Time // scratch files older than this belong to nobody
	Reporter   progress.Reporter
}

// Sources are the cache and the network, and who is told of their use.
type Sources struct {
	cache    *cas.Store
	client   *transport.Client
	wheels   *wheel.Store
	options  wheel.Options // of the wheels
	reporter progress.Reporter
	offline  bool
	// unpacked are directories of this program's beside the cache, of which nothing is packed.
	unpacked []string
	program  string
	// discard removes a cache that is for this run alone; else nil.
	discard func() error
	// backwards takes up wheels from the last to the first, which makes no difference: see Reproduce.
	backwards bool
}

// OpenSources opens the cache, which is held against removal of entries until Close, which must be called.
func OpenSources(ctx context.Context, o SourceOptions) (_ *Sources, err error) {
	s := &Sources{
		options:  wheel.Options{Progress: o.Reporter, Mirror: o.mirrors().Places},
		reporter: o.Reporter,
		offline:  o.Settings.Offline.On,
		program:  o.Program,
	}
	if err := s.openCache(ctx, o); err != nil {
		return nil, fault.Wrap(fault.Delivery, "name another with --cache-dir or VPK_CACHE_DIR", err)
	}
	if s.client, err = transport.New(o.transport()); err != nil {
		return nil, errors.Join(err, s.closeCache())
	}
	s.wheels = s.openWheels(s.cache)
	return s, nil
}

// openCache opens the cache that options name, or a new one.
func (s *Sources) openCache(ctx context.Context, o SourceOptions) error {
	dir, used := o.CacheDir, cas.Used(o.Now)
	var fallbacks []string
	if o.NoCache {
		var err error
		if dir, s.discard, err = newCache(o); err != nil {
			return err
		}
	} else {
		fallbacks = o.fallbacks()
	}
	// Nothing of a cache is packed, should it lie in a project.
	s.unpacked = slices.Clone(fallbacks)
	if abs, err := filepath.Abs(o.CacheDir); err == nil && o.CacheDir != "" {
		s.unpacked = append(s.unpacked, abs)
	}
	cache, err := cas.Open(dir, used, cas.Fallback(fallbacks...))
	if err == nil {
		s.cache = cache
		err = cache.Share(ctx, func() { o.Reporter.Note("waiting for another vpk, which removes entries from the cache") })
	}
	if err == nil {
		err = cache.Sweep(o.StaleSince)
	}
	if err != nil {
		err = errors.Join(err, s.closeCache())
	}
	return err
}

// newCache makes a directory for a cache of this run alone: among the scratch of the user's cache, where there is room for wheels
// (/tmp may be memory), where outputs can share their blocks, and where Sweep finds it if this process is killed. Where that can't be,
// it is in the directory for temporary files.
func newCache(o SourceOptions) (dir string, remove func() error, err error) {
	if o.CacheDir != "" {
		if host, err := cas.Open(o.CacheDir); err == nil {
			if dir, remove, err = host.TempDir("no-cache"); err == nil {
				return dir, remove, nil
			}
		}
	}
	if dir, err = os.MkdirTemp(o.TempDir, "vpk-no-cache-"); err != nil {
		return "", nil, fmt.Errorf("make a cache for this run: %w", cas.Fault(err))
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// fallbacks are the lower caches that are caches, by their absolute paths.
func (o SourceOptions) fallbacks() []string {
	var dirs []string
	for _, dir := range o.Fallbacks {
		abs, err := filepath.Abs(dir)
		if err == nil {
			err = cas.Check(abs)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			o.Reporter.Note("there is no cache at %s, which VPK_CACHE_FALLBACK names", dir)
		case err != nil:
			o.Reporter.Note("%s, which VPK_CACHE_FALLBACK names, is not used: %v", dir, err)
		default:
			dirs = append(dirs, abs)
		}
	}
	return dirs
}

func (s *Sources) closeCache() error {
	var err error
	if s.cache != nil {
		err = s.cache.Release()
	}
	if s.discard != nil {
		err = errors.Join(err, s.discard())
	}
	return err
}

// TellFallback says, to those who want details, what came from lower caches.
func (s *Sources) TellFallback() {
	var kinds []string
	for _, found := range s.cache.FoundBelow() {
		kinds = append(kinds, fmt.Sprintf("%d of %s", found.Entries, found.Kind))
	}
	if len(kinds) > 0 {
		s.reporter.Detail("from the fallback cache: %s", strings.Join(kinds, ", "))
	}
}

func (s *Sources) openWheels(cache *cas.Store) *wheel.Store {
	return wheel.NewStore(cache, s.client, s.options)
}

// CacheDir is the directory of the cache that is used.
func (s *Sources) CacheDir() string { return s.cache.Dir() }

// Close ends connections and the use of the cache.
func (s *Sources) Close() error {
	s.client.Close()
	return s.closeCache()
}

func (o SourceOptions) transport() transport.Options {
	t := transport.Options{
		CertDirs:       o.Network.CertDirs,
		ClientCert:     o.Network.ClientCert,
		InsecureHosts:  o.Settings.InsecureHosts,
		Proxies:        o.proxies(),
		ConnectTimeout: o.Network.ConnectTimeout,
		ReadTimeout:    o.Network.ReadTimeout,
		MaxBodies:      o.Settings.ConcurrentDownloads,
		Around:         o.auth().Around,
		Offline:        o.Settings.Offline.On,
		UserAgent:      o.UserAgent,
	}
	if o.Network.CertFile != "" {
		t.CertFiles = []string{o.Network.CertFile}
	}
	if n := o.Network.Retries; n != nil && *n == 0 {
		t.Retries = -1
	} else if n != nil {
		t.Retries = *n
	}
	return t
}

// proxies are those of uv's settings, if there is one, else those of the environment (crates/uv-client/src/base_client.rs: to name one
// to reqwest turns off its own look at the environment).
func (o SourceOptions) proxies() transport.Proxies {
	if o.Settings.HTTPProxy == "" && o.Settings.HTTPSProxy == "" {
		return transport.Proxies(o.Network.Proxies)
	}
	return transport.Proxies{HTTP: o.Settings.HTTPProxy, HTTPS: o.Settings.HTTPSProxy, No: strings.Join(o.Settings.NoProxy, ",")}
}

// auth knows the indexes of the settings, of which the first of a name counts, and those that only the project names.
func (o SourceOptions) auth() *index.Auth {
	options := index.AuthOptions{Netrc: o.Logins.Netrc, Store: o.Logins.Store, ReadFile: os.ReadFile, Progress: o.Reporter}
	switch o.Settings.KeyringProvider {
	case "subprocess":
		options.Keyring = "keyring"
	case "native":
		o.Reporter.Note("keyring-provider = native is not supported, only subprocess: the system's keyring is not asked")
	}
	indexes := o.Settings.Indexes()
	for _, links := range o.Settings.FindLinks {
		indexes = append(indexes, pyproject.Index{URL: links})
	}
	if o.Project != nil {
		var own []pyproject.Index
		own, options.URLs = o.Project.logins()
		for _, i := range own {
			if !slices.Contains(indexes, i) {
				indexes = append(indexes, i)
			}
		}
	}
	seen := map[string]bool{}
	for _, i := range indexes {
		if i.Name != "" && seen[i.Name] {
			continue
		}
		seen[i.Name] = true
		options.Indexes = append(options.Indexes, index.Index{URL: i.URL, Policy: index.Policy(i.Authenticate), Credentials: o.login(i.Name)})
	}
	return index.NewAuth(options)
}

// login gives the credentials that the environment has for an index: its name in upper case, with _ for what is neither letter nor
// digit (crates/uv-distribution-types/src/index_name.rs).
func (o SourceOptions) login(name string) index.Credentials {
	if name == "" {
		return index.Credentials{}
	}
	login := o.Logins.Indexes[strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)]
	c := index.Credentials{Password: login.Password}
	if login.Username != nil {
		c.Username = *login.Username
	}
	return c
}

func (o SourceOptions) mirrors() index.Mirrors {
	rules := make([]index.Rule, len(o.Mirrors))
	for i, m := range o.Mirrors {
		rules[i] = index.Rule(m)
	}
	return index.NewMirrors(rules)
}
