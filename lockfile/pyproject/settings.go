package pyproject

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/tomlpos"
)

// Settings are uv's settings that bear on locking, or on installing from a lock: of one place, or of several, merged by
// Or. Each is empty where it is not set.
type Settings struct {
	// RequiredVersion is the uv that is asked for.
	RequiredVersion pep440.Specifiers

	Resolution, Prerelease, ForkStrategy string
	// ExcludeNewer is a date, a timestamp or a span; for the packages in ExcludeNewerPackage another one, or "false".
	ExcludeNewer        string
	ExcludeNewerPackage map[string]string
	// Index is [[index]], ExtraIndexURL and IndexURL are the older way to name indexes; see Indexes. FindLinks are the flat
	// ones. All are URLs or paths as written.
	Index              []Index
	ExtraIndexURL      []string
	IndexURL           string
	FindLinks          []string
	NoIndex            Flag
	NoSources          Flag
	DependencyMetadata []DependencyMetadata

	// NoBinary refuses all wheels, NoBinaryPackages those of some packages.
	NoBinary         Flag
	NoBinaryPackages []string

	Offline Flag
	// KeyringProvider is "disabled", "subprocess" or "native".
	KeyringProvider string
	// InsecureHosts are HOST, HOST:PORT or SCHEME://HOST[:PORT], or "*".
	InsecureHosts         []string
	HTTPProxy, HTTPSProxy string
	NoProxy               []string
	// ConcurrentDownloads is 0 where it is not set.
	ConcurrentDownloads int
}

// Flag is a setting that is on, off or not set.
type Flag struct{ Set, On bool }

// Index is one place to look for packages.
type Index struct {
	// Name is empty where it has none.
	Name    string
	URL     string
	Default bool
	// Authenticate is "auto", "always", "never", or empty, which is "auto".
	Authenticate string
	// Given tells an index that was given to this run, by the environment, and not by a file.
	Given bool
}

// DependencyMetadata replaces a package's own metadata.
type DependencyMetadata struct {
	Name           string
	Version        pep440.Version // zero for every version
	RequiresDist   []pep508.Requirement
	RequiresPython pep440.Specifiers
	ProvidesExtras []string
}

// Indexes are all indexes in order of preference: [[index]], then extra-index-url, then index-url
// (crates/uv/src/settings.rs, IndexLocations). Of several with one name, and of several defaults, the first counts.
func (s Settings) Indexes() []Index {
	list := slices.Clone(s.Index)
	for _, url := range s.ExtraIndexURL {
		list = append(list, Index{URL: url})
	}
	if s.IndexURL != "" {
		list = append(list, Index{URL: s.IndexURL, Default: true})
	}
	return list
}

// Or is s with what it does not set taken from the settings of lower precedence; lists of both are joined, those of s first
// (crates/uv-settings/src/combine.rs).
func (s Settings) Or(lower Settings) Settings {
	for _, text := range []struct{ to, from *string }{
		{&s.Resolution, &lower.Resolution}, {&s.Prerelease, &lower.Prerelease}, {&s.ForkStrategy, &lower.ForkStrategy},
		{&s.ExcludeNewer, &lower.ExcludeNewer}, {&s.IndexURL, &lower.IndexURL}, {&s.KeyringProvider, &lower.KeyringProvider},
		{&s.HTTPProxy, &lower.HTTPProxy}, {&s.HTTPSProxy, &lower.HTTPSProxy},
	} {
		if *text.to == "" {
			*text.to = *text.from
		}
	}
	for _, flag := range []struct{ to, from *Flag }{
		{&s.NoIndex, &lower.NoIndex}, {&s.NoSources, &lower.NoSources}, {&s.NoBinary, &lower.NoBinary}, {&s.Offline, &lower.Offline},
	} {
		if !flag.to.Set {
			*flag.to = *flag.from
		}
	}
	if s.RequiredVersion == nil {
		s.RequiredVersion = lower.RequiredVersion
	}
	if s.ConcurrentDownloads == 0 {
		s.ConcurrentDownloads = lower.ConcurrentDownloads
	}
	if len(lower.ExcludeNewerPackage) > 0 {
		merged := maps.Clone(lower.ExcludeNewerPackage)
		maps.Copy(merged, s.ExcludeNewerPackage)
		s.ExcludeNewerPackage = merged
	}
	s.Index = slices.Concat(s.Index, lower.Index)
	s.ExtraIndexURL = slices.Concat(s.ExtraIndexURL, lower.ExtraIndexURL)
	s.FindLinks = slices.Concat(s.FindLinks, lower.FindLinks)
	s.DependencyMetadata = slices.Concat(s.DependencyMetadata, lower.DependencyMetadata)
	s.NoBinaryPackages = slices.Concat(s.NoBinaryPackages, lower.NoBinaryPackages)
	s.InsecureHosts = slices.Concat(s.InsecureHosts, lower.InsecureHosts)
	s.NoProxy = slices.Concat(s.NoProxy, lower.NoProxy)
	return s
}

// In is s with the paths of indexes made absolute: they are relative to dir, where the settings were found.
func (s Settings) In(dir string) Settings {
	abs := func(location string) string {
		if location == "" || IsURL(location) || filepath.IsAbs(location) {
			return location
		}
		return filepath.Join(dir, filepath.FromSlash(location))
	}
	s.Index = slices.Clone(s.Index)
	for i := range s.Index {
		s.Index[i].URL = abs(s.Index[i].URL)
	}
	s.IndexURL = abs(s.IndexURL)
	s.ExtraIndexURL = slices.Clone(s.ExtraIndexURL)
	for i := range s.ExtraIndexURL {
		s.ExtraIndexURL[i] = abs(s.ExtraIndexURL[i])
	}
	s.FindLinks = slices.Clone(s.FindLinks)
	for i := range s.FindLinks {
		s.FindLinks[i] = abs(s.FindLinks[i])
	}
	return s
}

// IsURL tells an index that is a URL from one that is a path.
func IsURL(location string) bool {
	u, err := url.Parse(location)
	return err == nil && slices.Contains([]string{"http", "https", "file"}, u.Scheme)
}

// ParseIndex reads an index as UV_INDEX has it: a URL or path, with a name before it or not, as in "internal=https://…"
// (crates/uv-distribution-types/src/index.rs, Index::from_str).
func ParseIndex(s string) (Index, error) {
	name, location, ok := strings.Cut(s, "=")
	if !ok || strings.Contains(name, ":") {
		return Index{URL: s}, nil
	}
	if location == "" {
		return Index{}, fmt.Errorf("index %q has no URL", name)
	}
	return Index{Name: name, URL: location}, checkIndexName(name)
}

func checkIndexName(name string) error {
	if strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return errors.New("the name of an index has letters, digits, - _ and . only")
	}
	return nil
}

// settingsWire is the keys that a uv.toml may hold, as well as [tool.uv].
type settingsWire struct {
	RequiredVersion     string         `toml:"required-version"`
	Resolution          string         `toml:"resolution"`
	Prerelease          string         `toml:"prerelease"`
	ForkStrategy        string         `toml:"fork-strategy"`
	ExcludeNewer        any            `toml:"exclude-newer"`
	ExcludeNewerPackage map[string]any `toml:"exclude-newer-package"`
	Index               []struct {
		Name         string `toml:"name"`
		URL          string `toml:"url"`
		Default      bool   `toml:"default"`
		Authenticate string `toml:"authenticate"`
	} `toml:"index"`
	IndexURL           string   `toml:"index-url"`
	ExtraIndexURL      []string `toml:"extra-index-url"`
	FindLinks          []string `toml:"find-links"`
	NoIndex            *bool    `toml:"no-index"`
	NoSources          *bool    `toml:"no-sources"`
	DependencyMetadata []struct {
		Name           string   `toml:"name"`
		Version        string   `toml:"version"`
		RequiresDist   []string `toml:"requires-dist"`
		RequiresPython string   `toml:"requires-python"`
		ProvidesExtras []string `toml:"provides-extras"`
		ProvidesExtra  []string `toml:"provides-extra"`
	} `toml:"dependency-metadata"`
	NoBinary            *bool    `toml:"no-binary"`
	NoBinaryPackage     []string `toml:"no-binary-package"`
	Offline             *bool    `toml:"offline"`
	KeyringProvider     string   `toml:"keyring-provider"`
	AllowInsecureHost   []any    `toml:"allow-insecure-host"`
	HTTPProxy           string   `toml:"http-proxy"`
	HTTPSProxy          string   `toml:"https-proxy"`
	NoProxy             []string `toml:"no-proxy"`
	ConcurrentDownloads *int     `toml:"concurrent-downloads"`
}

// ReadSettings reads a uv.toml. Errors are as of Read.
func ReadSettings(data []byte, filename string) (Settings, error) {
	var w settingsWire
	if err := tomlpos.Decode(data, filename, &w); err != nil {
		return Settings{}, fault.Wrap(fault.Usage, "", err)
	}
	r := reader{}
	settings := r.settings(&w)
	if err := r.err(filename, data); err != nil {
		return Settings{}, fault.Wrap(fault.Usage, "", err)
	}
	return settings, nil
}

// ReadToolSettings reads the settings in [tool.uv] of a pyproject.toml, and nothing else of it; found tells whether there is
// such a table. Errors are as of Read.
func ReadToolSettings(data []byte, filename string) (s Settings, found bool, err error) {
	var w struct {
		Tool struct {
			UV *settingsWire `toml:"uv"`
		} `toml:"tool"`
	}
	if err := tomlpos.Decode(data, filename, &w); err != nil {
		return Settings{}, false, fault.Wrap(fault.Usage, "", err)
	}
	if w.Tool.UV == nil {
		return Settings{}, false, nil
	}
	r := reader{}
	s = r.settings(w.Tool.UV, "tool", "uv")
	return s, true, fault.Wrap(fault.Usage, "", r.err(filename, data))
}

func (r *reader) settings(w *settingsWire, in ...any) Settings {
	at := func(steps ...any) []any { return slices.Concat(in, steps) }
	s := Settings{
		Resolution: w.Resolution, Prerelease: w.Prerelease, ForkStrategy: w.ForkStrategy,
		ExcludeNewer:  r.moment(w.ExcludeNewer, at("exclude-newer")),
		ExtraIndexURL: w.ExtraIndexURL, IndexURL: w.IndexURL, FindLinks: w.FindLinks,
		NoIndex: flagOf(w.NoIndex), NoSources: flagOf(w.NoSources), NoBinary: flagOf(w.NoBinary), Offline: flagOf(w.Offline),
		NoBinaryPackages: r.names(w.NoBinaryPackage, at("no-binary-package")...),
		KeyringProvider:  w.KeyringProvider, HTTPProxy: w.HTTPProxy, HTTPSProxy: w.HTTPSProxy, NoProxy: w.NoProxy,
	}
	for _, key := range slices.Sorted(maps.Keys(w.ExcludeNewerPackage)) {
		if s.ExcludeNewerPackage == nil {
			s.ExcludeNewerPackage = map[string]string{}
		}
		place := at("exclude-newer-package", key)
		s.ExcludeNewerPackage[r.name(key, place...)] = r.moment(w.ExcludeNewerPackage[key], place)
	}
	for i, index := range w.Index {
		if index.URL == "" {
			r.add(errors.New("key \"url\" of an index is missing"), at("index", i)...)
		}
		if err := checkIndexName(index.Name); err != nil {
			r.add(err, at("index", i, "name")...)
		}
		if !slices.Contains([]string{"", "auto", "always", "never"}, index.Authenticate) {
			r.add(fmt.Errorf("authenticate %q is not auto, always or never", index.Authenticate), at("index", i, "authenticate")...)
		}
		s.Index = append(s.Index, Index{Name: index.Name, URL: index.URL, Default: index.Default, Authenticate: index.Authenticate})
	}
	if w.RequiredVersion != "" {
		// A version alone is that version (crates/uv-configuration/src/required_version.rs).
		text := w.RequiredVersion
		if _, err := pep440.Parse(text); err == nil {
			text = "==" + text
		}
		s.RequiredVersion = r.specifiers(text, at("required-version")...)
	}
	if err := CheckKeyringProvider(w.KeyringProvider); err != nil {
		r.add(err, at("keyring-provider")...)
	}
	for i, w := range w.AllowInsecureHost {
		s.InsecureHosts = append(s.InsecureHosts, r.host(w, at("allow-insecure-host", i)))
	}
	if n := w.ConcurrentDownloads; n != nil {
		if *n < 1 {
			r.add(errors.New("concurrent-downloads is not positive"), at("concurrent-downloads")...)
		}
		s.ConcurrentDownloads = *n
	}
	r.dependencyMetadata(w, &s, at)
	return s
}

func (r *reader) dependencyMetadata(w *settingsWire, s *Settings, at func(...any) []any) {
	for i, d := range w.DependencyMetadata {
		place := at("dependency-metadata", i)
		m := DependencyMetadata{
			Name:           r.name(d.Name, append(place, "name")...),
			RequiresDist:   r.requirements(d.RequiresDist, append(place, "requires-dist")...),
			ProvidesExtras: r.names(slices.Concat(d.ProvidesExtras, d.ProvidesExtra), append(place, "provides-extras")...),
		}
		if d.Version != "" {
			var err error
			if m.Version, err = pep440.Parse(d.Version); err != nil {
				r.add(err, append(place, "version")...)
			}
		}
		if d.RequiresPython != "" {
			m.RequiresPython = r.specifiers(d.RequiresPython, append(place, "requires-python")...)
		}
		s.DependencyMetadata = append(s.DependencyMetadata, m)
	}
}

func flagOf(b *bool) Flag {
	if b == nil {
		return Flag{}
	}
	return Flag{Set: true, On: *b}
}

// CheckKeyringProvider wants a value of keyring-provider, or none.
func CheckKeyringProvider(s string) error {
	if !slices.Contains([]string{"", "disabled", "subprocess", "native"}, s) {
		return fmt.Errorf("keyring-provider %q is not disabled, subprocess or native", s)
	}
	return nil
}

// host reads an item of allow-insecure-host: text, or a table with host and perhaps scheme and port.
func (r *reader) host(w any, place []any) string {
	switch w := w.(type) {
	case string:
		return w
	case map[string]any:
		host, ok := w["host"].(string)
		if !ok {
			break
		}
		if scheme, ok := w["scheme"].(string); ok {
			host = scheme + "://" + host
		}
		if port, ok := w["port"].(int64); ok {
			host = fmt.Sprintf("%s:%d", host, port)
		}
		return host
	}
	r.add(errors.New("want a host, as in \"index.example:8443\""), place...)
	return ""
}
