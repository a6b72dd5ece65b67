package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

func TestReadEnvironment(t *testing.T) {
	got, err := ReadEnvironment([]string{
		"HOME=/home/u", "SOURCE_DATE_EPOCH=86400", "VPK_BASE=b", "VPK_OFFLINE=off", "UV_OFFLINE=YES",
		"UV_REQUEST_TIMEOUT=8", "HTTP_TIMEOUT=9", "UV_HTTP_CONNECT_TIMEOUT=3", "UV_HTTP_RETRIES=0",
		"UV_LOCKED=t", "UV_NO_DEV=1", "UV_DEV=", "UV_NO_GROUP=a b", "UV_NO_DEFAULT_GROUPS=on",
		"UV_DEFAULT_INDEX=d=https://d.example/simple", "UV_INDEX=n=https://n.example/simple https://m.example/simple",
		"UV_EXTRA_INDEX_URL=https://e.example/simple", "UV_INDEX_URL=https://u.example/simple", "UV_FIND_LINKS=./a,./b",
		"UV_INDEX_N_USERNAME=user", "UV_INDEX_N_PASSWORD=", "UV_INDEX_O_PASSWORD=p",
		"UV_KEYRING_PROVIDER=subprocess", "UV_INSECURE_HOST=a.example b.example:1", "UV_CONCURRENT_DOWNLOADS=5",
		"UV_NO_BINARY_PACKAGE=x y", "VPK_MIRROR=https://a.example=https://b.example?  ./c",
		"https_proxy=http://low", "HTTP_PROXY=http://up", "http_proxy=http://low", "NO_PROXY=x", "ALL_PROXY=socks5://s",
		"SSL_CERT_FILE=/c.pem", "SSL_CERT_DIR=/d:/e", "SSL_CLIENT_CERT=/own.pem",
		"SETUPTOOLS_SCM_PRETEND_VERSION=1", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_A_B=2", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_=3",
		"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_C=", "SETUPTOOLS_SCM_PRETEND_VERSIONS=4",
		"NETRC=~/n", "XDG_CONFIG_HOME=relative", "XDG_CONFIG_DIRS=/x:/y::/z", "UV_NO_CONFIG=1",
	}, "/cache")
	if err == nil || !strings.Contains(err.Error(), "VPK_MIRROR") || strings.Contains(err.Error(), "b.example") {
		t.Errorf("bad mirrors: %v", err)
	}
	empty, user, p, none := "", "user", "p", 0
	want := Environment{
		CacheDir: "/cache/vpk", Base: "b", Created: time.Unix(86400, 0).UTC(), Mirrors: got.Mirrors,
		Versions:  map[string]string{"": "1", "A_B": "2"},
		Selection: Selection{Locked: true, NoDev: true, NoDefaultGroups: true, NoGroups: []string{"a", "b"}},
		Network: Network{
			ReadTimeout: 8 * time.Second, ConnectTimeout: 3 * time.Second, Retries: &none,
			CertFile: "/c.pem", CertDirs: []string{"/d", "/e"}, ClientCert: "/own.pem",
			Proxies: Proxies{HTTP: "http://up", HTTPS: "http://low", All: "socks5://s", No: "x"},
		},
		Logins: Logins{
			Indexes: map[string]Login{"N": {&user, &empty}, "O": {nil, &p}},
			Netrc:   []string{"/home/u/n", "/home/u/.netrc"},
			Store:   "/home/u/.local/share/uv/credentials/credentials.toml",
		},
		Settings: pyproject.Settings{
			Offline: pyproject.Flag{Set: true, On: true}, KeyringProvider: "subprocess", InsecureHosts: []string{"a.example", "b.example:1"},
			ConcurrentDownloads: 5, NoBinaryPackages: []string{"x", "y"}, FindLinks: []string{"./a", "./b"},
			Index: []pyproject.Index{
				{Name: "d", URL: "https://d.example/simple", Default: true, Given: true},
				{Name: "n", URL: "https://n.example/simple", Given: true},
				{URL: "https://m.example/simple", Given: true},
				{URL: "https://e.example/simple", Given: true},
				{URL: "https://u.example/simple", Default: true, Given: true},
			},
		},
		Files: Files{None: true, User: "/home/u/.config/uv/uv.toml", System: []string{"/x/uv/uv.toml", "/y/uv/uv.toml", "/etc/uv/uv.toml"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadEnvironmentOfCache(t *testing.T) {
	got, err := ReadEnvironment([]string{"VPK_NO_CACHE=1", "VPK_CACHE_FALLBACK=/a::b:"}, "")
	if err != nil || !got.NoCache || !slices.Equal(got.CacheFallback, []string{"/a", "b"}) || got.CacheDir != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadEnvironmentErrors(t *testing.T) {
	for _, variable := range []string{
		"SOURCE_DATE_EPOCH=yesterday", "SOURCE_DATE_EPOCH=-1", "SOURCE_DATE_EPOCH=1.5", "SOURCE_DATE_EPOCH=8589934592", "SOURCE_DATE_EPOCH=0x10",
		"SOURCE_DATE_EPOCH= 1", "VPK_OFFLINE=maybe", "UV_HTTP_TIMEOUT=1s", "UV_HTTP_TIMEOUT=0", "UV_HTTP_RETRIES=-1",
		"UV_CONCURRENT_DOWNLOADS=0", "UV_KEYRING_PROVIDER=x", "UV_INDEX=a+b=https://x.example", "UV_FROZEN=2", "VPK_MIRROR=x", "VPK_NO_CACHE=2",
	} {
		_, err := ReadEnvironment([]string{variable}, "/cache")
		if name, _, _ := strings.Cut(variable, "="); err == nil || fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", variable, err)
		}
	}
	_, err := ReadEnvironment([]string{"UV_FROZEN=2", "UV_LOCKED=2"}, "")
	if err == nil || !strings.Contains(err.Error(), "UV_FROZEN") || !strings.Contains(err.Error(), "UV_LOCKED") {
		t.Errorf("not all at once: %v", err)
	}
	if got, err := ReadEnvironment(nil, ""); err != nil || got.CacheDir != "" || got.Logins.Store != "" {
		t.Errorf("a user without a home: %+v, %v", got, err)
	}
	cgi, err := ReadEnvironment([]string{"REQUEST_METHOD=GET", "HTTP_PROXY=http://attacker"}, "")
	if err != nil || cgi.Network.Proxies.HTTP != "" {
		t.Errorf("httpoxy: %+v, %v", cgi.Network.Proxies, err)
	}
}
