package pack

import (
	"os"
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
	// backwards takes up wheels from the last to the first, which makes no difference: see Reproduce.
	backwards bool
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
	client, err := transport.New(o.transport())
	if err != nil {
		return nil, err
	}
	s := &Sources{
		cache:    cache,
		client:   client,
		options:  wheel.Options{Progress: o.Reporter, Mirror: o.mirrors().Places},
		reporter: o.Reporter,
		offline:  o.Settings.Offline.On,
		program:  o.Program,
	}
	s.wheels = s.openWheels(cache)
	return s, nil
}

func (s *Sources) openWheels(cache *cas.Store) *wheel.Store {
	return wheel.NewStore(cache, s.client, s.options)
}

// Close ends connections.
func (s *Sources) Close() { s.client.Close() }

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
