package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

// Environment is what the environment says; it is read once, at the edge.
type Environment struct {
	CacheDir string // VPK_CACHE_DIR, else vpk below the user's cache directory; "" when there is neither
	NoCache  bool   // VPK_NO_CACHE
	Base     string // VPK_BASE
	Sandbox  string // VPK_SANDBOX
	// CacheFallback is VPK_CACHE_FALLBACK: directories of caches that are only read.
	CacheFallback []string
	// Created is SOURCE_DATE_EPOCH, else the epoch.
	Created time.Time
	// Mirrors is VPK_MIRROR.
	Mirrors []Mirror

	// Versions are SETUPTOOLS_SCM_PRETEND_VERSION_FOR_NAME by NAME, and SETUPTOOLS_SCM_PRETEND_VERSION by "".
	Versions map[string]string

	Selection Selection
	Network   Network
	Logins    Logins

	// Settings are UV_* variables that are settings of uv (VPK_OFFLINE is UV_OFFLINE).
	Settings pyproject.Settings
	Files    Files
}

// Selection is what the environment says of packages: UV_FROZEN and so on.
type Selection struct {
	Frozen, Locked, Dev, NoDev, NoDefaultGroups bool
	NoGroups                                    []string
}

// Network is what the environment says of connections.
type Network struct {
	// ReadTimeout is the time of silence on a connection: UV_HTTP_TIMEOUT, UV_REQUEST_TIMEOUT or HTTP_TIMEOUT, in seconds;
	// ConnectTimeout is UV_HTTP_CONNECT_TIMEOUT. 0 when not given.
	ReadTimeout, ConnectTimeout time.Duration
	// Retries is UV_HTTP_RETRIES, nil when not given.
	Retries *int
	// CertFile and CertDirs are SSL_CERT_FILE and SSL_CERT_DIR, ClientCert is SSL_CLIENT_CERT.
	CertFile   string
	CertDirs   []string
	ClientCert string
	Proxies    Proxies
}

// Proxies are HTTP_PROXY and so on, in upper case or lower; "" when not given.
type Proxies struct{ HTTP, HTTPS, All, No string }

// Logins say where user names and passwords of indexes are.
type Logins struct {
	// Indexes are UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD by NAME.
	Indexes map[string]Login
	// Netrc are files, of which the first that exists counts: NETRC, ~/.netrc.
	Netrc []string
	// Store is the file of `uv auth login`, "" where there is no place for one.
	Store string
}

// Login is a user's name and password, nil where it is not given.
type Login struct{ Username, Password *string }

// Files are the places of uv's settings other than the project.
type Files struct {
	// Only replaces all others: UV_CONFIG_FILE. None takes no file at all: UV_NO_CONFIG.
	Only string
	None bool
	// User is the user's uv.toml; of the System ones the first that exists counts.
	User   string
	System []string
}

// ReadEnvironment reads an environment in the form of os.Environ. userCacheDir is what os.UserCacheDir gives, "" if it fails.
// All that is wrong is told at once.
func ReadEnvironment(environ []string, userCacheDir string) (Environment, error) {
	r := &environReader{values: map[string]string{}}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		r.values[name] = value
	}
	e := Environment{
		CacheDir:      r.get("VPK_CACHE_DIR"),
		NoCache:       r.flag("VPK_NO_CACHE").On,
		Base:          r.get("VPK_BASE"),
		Sandbox:       r.get("VPK_SANDBOX"),
		CacheFallback: r.list("VPK_CACHE_FALLBACK"),
		Created:       r.created(),
		Selection: Selection{
			Frozen: r.flag("UV_FROZEN").On, Locked: r.flag("UV_LOCKED").On, Dev: r.flag("UV_DEV").On, NoDev: r.flag("UV_NO_DEV").On,
			NoDefaultGroups: r.flag("UV_NO_DEFAULT_GROUPS").On, NoGroups: strings.Fields(r.get("UV_NO_GROUP")),
		},
		Network: Network{
			ReadTimeout:    r.seconds("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"),
			ConnectTimeout: r.seconds("UV_HTTP_CONNECT_TIMEOUT"),
			Retries:        r.number("UV_HTTP_RETRIES", 0),
			CertFile:       r.get("SSL_CERT_FILE"),
			CertDirs:       filepath.SplitList(r.get("SSL_CERT_DIR")),
			ClientCert:     r.get("SSL_CLIENT_CERT"),
			Proxies: Proxies{
				HTTP: r.get("HTTP_PROXY", "http_proxy"), HTTPS: r.get("HTTPS_PROXY", "https_proxy"),
				All: r.get("ALL_PROXY", "all_proxy"), No: r.get("NO_PROXY", "no_proxy"),
			},
		},
		Logins:   r.logins(),
		Versions: r.versions(),
		Settings: r.settings(),
		Files:    r.files(),
	}
	// A web server's CGI program has the client's Proxy header in this variable (https://httpoxy.org).
	if r.get("REQUEST_METHOD") != "" {
		e.Network.Proxies.HTTP = r.get("http_proxy")
	}
	if e.CacheDir == "" && userCacheDir != "" {
		e.CacheDir = filepath.Join(userCacheDir, "vpk")
	}
	for _, text := range strings.Fields(r.get("VPK_MIRROR")) {
		m, err := ParseMirror(text)
		r.add("VPK_MIRROR", err)
		e.Mirrors = append(e.Mirrors, m)
	}
	return e, fault.Wrap(fault.Usage, "", errors.Join(r.errs...))
}

// environReader reads variables and collects what is wrong. An empty variable is one that is not set.
type environReader struct {
	values map[string]string
	errs   []error
}

func (r *environReader) add(name string, err error) {
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("read %s: %w", name, err))
	}
}

// get is the first of the variables that is set.
func (r *environReader) get(names ...string) string {
	for _, name := range names {
		if value := r.values[name]; value != "" {
			return value
		}
	}
	return ""
}

// list reads a list of paths; empty ones do not count.
func (r *environReader) list(name string) (list []string) {
	for _, path := range filepath.SplitList(r.get(name)) {
		if path != "" {
			list = append(list, path)
		}
	}
	return list
}

// flag reads a boolean variable as uv does (EnvFlag).
func (r *environReader) flag(name string) pyproject.Flag {
	value := r.get(name)
	switch strings.ToLower(value) {
	case "":
		return pyproject.Flag{}
	case "n", "no", "f", "false", "off", "0":
		return pyproject.Flag{Set: true}
	case "y", "yes", "t", "true", "on", "1":
		return pyproject.Flag{Set: true, On: true}
	}
	r.add(name, fmt.Errorf("%q is not a boolean", value))
	return pyproject.Flag{}
}

func (r *environReader) number(name string, least int) *int {
	text := r.get(name)
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 1<<20 {
		r.add(name, fmt.Errorf("%q is not a number of at least %d", text, least))
		return nil
	}
	return &n
}

// seconds reads the first of the variables that is set.
func (r *environReader) seconds(names ...string) time.Duration {
	for _, name := range names {
		text := r.get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n == 0 {
			r.add(name, fmt.Errorf("%q is not a number of seconds", text))
		}
		return time.Duration(n) * time.Second
	}
	return 0
}

// maxEpoch is the last second that a USTAR header can hold: eleven octal digits.
const maxEpoch = 1<<33 - 1

// created reads SOURCE_DATE_EPOCH: https://reproducible-builds.org/specs/source-date-epoch/: an integer; a malformed value is an
// error, not a default.
func (r *environReader) created() time.Time {
	text := r.get("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0).UTC()
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxEpoch {
		r.add("SOURCE_DATE_EPOCH", fmt.Errorf("%q is not a number of seconds from 0 to %d", text, int64(maxEpoch)))
	}
	return time.Unix(n, 0).UTC()
}

// settings reads the variables that are settings of uv. Indexes are in the order in which uv prefers them
// (crates/uv-cli/src/options.rs).
func (r *environReader) settings() pyproject.Settings {
	s := pyproject.Settings{
		Resolution: r.get("UV_RESOLUTION"), Prerelease: r.get("UV_PRERELEASE"), ForkStrategy: r.get("UV_FORK_STRATEGY"),
		ExcludeNewer: r.get("UV_EXCLUDE_NEWER"),
		NoSources:    r.flag("UV_NO_SOURCES"), NoBinary: r.flag("UV_NO_BINARY"),
		NoBinaryPackages: strings.Fields(r.get("UV_NO_BINARY_PACKAGE")),
		Offline:          r.flag("UV_OFFLINE"),
		KeyringProvider:  r.get("UV_KEYRING_PROVIDER"),
		InsecureHosts:    strings.Fields(r.get("UV_INSECURE_HOST")),
		FindLinks:        splitList(r.get("UV_FIND_LINKS")),
	}
	if vpk := r.flag("VPK_OFFLINE"); vpk.On {
		s.Offline = vpk
	}
	r.add("UV_KEYRING_PROVIDER", pyproject.CheckKeyringProvider(s.KeyringProvider))
	if n := r.number("UV_CONCURRENT_DOWNLOADS", 1); n != nil {
		s.ConcurrentDownloads = *n
	}
	index := func(variable, text string, isDefault bool) {
		i, err := pyproject.ParseIndex(text)
		r.add(variable, err)
		i.Default, i.Given = isDefault, true
		s.Index = append(s.Index, i)
	}
	if text := r.get("UV_DEFAULT_INDEX"); text != "" {
		index("UV_DEFAULT_INDEX", text, true)
	}
	for _, text := range strings.Fields(r.get("UV_INDEX")) {
		index("UV_INDEX", text, false)
	}
	for _, text := range strings.Fields(r.get("UV_EXTRA_INDEX_URL")) {
		s.Index = append(s.Index, pyproject.Index{URL: text, Given: true})
	}
	if text := r.get("UV_INDEX_URL"); text != "" {
		s.Index = append(s.Index, pyproject.Index{URL: text, Default: true, Given: true})
	}
	return s
}

// splitList reads a list with commas.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func (r *environReader) logins() Logins {
	l := Logins{Indexes: map[string]Login{}}
	for variable, value := range r.values {
		rest, ok := strings.CutPrefix(variable, "UV_INDEX_")
		if !ok {
			continue
		}
		if name, ok := strings.CutSuffix(rest, "_USERNAME"); ok {
			login := l.Indexes[name]
			login.Username = &value
			l.Indexes[name] = login
		} else if name, ok := strings.CutSuffix(rest, "_PASSWORD"); ok {
			login := l.Indexes[name]
			login.Password = &value
			l.Indexes[name] = login
		}
	}
	home := r.get("HOME")
	if name := r.get("NETRC"); name != "" {
		if rest, ok := strings.CutPrefix(name, "~/"); ok && home != "" {
			name = filepath.Join(home, rest)
		}
		l.Netrc = append(l.Netrc, name)
	}
	if home != "" {
		l.Netrc = append(l.Netrc, filepath.Join(home, ".netrc"))
	}
	// crates/uv-auth/src/store.rs, default_file
	if dir := r.get("UV_CREDENTIALS_DIR"); dir != "" {
		l.Store = filepath.Join(dir, "credentials.toml")
	} else if dir := r.userDir("XDG_DATA_HOME", ".local/share"); dir != "" {
		l.Store = filepath.Join(dir, "uv", "credentials", "credentials.toml")
	}
	return l
}

func (r *environReader) versions() map[string]string {
	var versions map[string]string
	for variable, value := range r.values {
		rest, ok := strings.CutPrefix(variable, "SETUPTOOLS_SCM_PRETEND_VERSION")
		name, named := strings.CutPrefix(rest, "_FOR_")
		if !ok || value == "" || rest != "" && (!named || name == "") {
			continue
		}
		if versions == nil {
			versions = map[string]string{}
		}
		versions[name] = value
	}
	return versions
}

// files are uv's (crates/uv-dirs/src/lib.rs).
func (r *environReader) files() Files {
	f := Files{Only: r.get("UV_CONFIG_FILE"), None: r.flag("UV_NO_CONFIG").On}
	if dir := r.userDir("XDG_CONFIG_HOME", ".config"); dir != "" {
		f.User = filepath.Join(dir, "uv", "uv.toml")
	}
	dirs := r.get("XDG_CONFIG_DIRS")
	if dirs == "" {
		dirs = "/etc/xdg"
	}
	for dir := range strings.SplitSeq(dirs, ":") {
		if dir == "" {
			break
		}
		f.System = append(f.System, filepath.Join(dir, "uv", "uv.toml"))
	}
	f.System = append(f.System, "/etc/uv/uv.toml")
	return f
}

// userDir is a directory of the XDG base directory specification: a relative path in the variable does not count.
func (r *environReader) userDir(variable, belowHome string) string {
	if dir := r.get(variable); filepath.IsAbs(dir) {
		return dir
	}
	if home := r.get("HOME"); home != "" {
		return filepath.Join(home, belowHome)
	}
	return ""
}
