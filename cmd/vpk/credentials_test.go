package main

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// setup is one way to be given credentials. In all texts A, B stand for the URLs of two servers, HA, HB for their hosts with ports.
type setup struct {
	name string
	// wheel is the URL of the wheel in the lock, registry that of its index; direct makes it a direct URL dependency.
	wheel, registry string
	direct          bool
	// tool is what follows [tool.uv] in pyproject.toml; dependency replaces its only one; toml is a uv.toml beside it.
	tool, dependency, toml string
	env                    []string
	// files are written below the home directory, those that begin with ../ beside it.
	files map[string]string
	// keyring is what the program keyring answers: "NAME USER" to what it prints.
	keyring map[string]string
	// wants is what servers want of requests below a path, by URL: the text that has to be in Authorization, after decoding.
	wants map[string]string
	// refusal is the status that they answer with otherwise, 401 if it is 0.
	refusal int
	// leads are redirects, from URL to URL.
	leads map[string]string
}

const (
	named = "[[tool.uv.index]]\nname = \"in-ternal.1\"\nurl = \"A/idx/simple\"\n"
	user  = "Basic user:secret"
)

// withUser is named with credentials in its URL.
var withUser = strings.Replace(named, "A/", "http://user:secret@HA/", 1)

var setups = []setup{
	{name: "nothing needed"},
	{name: "nothing known", wants: map[string]string{"A/": user}},
	{name: "user of the index's URL", tool: withUser, wants: map[string]string{"A/": user}},
	{name: "user of the index's URL where none is wanted", tool: withUser},
	{name: "user of an index without a name", tool: "[[tool.uv.index]]\nurl = \"http://user:secret@HA/idx/simple\"\n", wants: map[string]string{"A/": user}},
	{name: "percent-encoded password", tool: strings.Replace(withUser, "secret", "s%40%2Fc%3Aret%25", 1), wants: map[string]string{"A/": "Basic user:s@/c:ret%"}},
	{name: "named index and environment", tool: named, env: []string{"UV_INDEX_IN_TERNAL_1_USERNAME=user", "UV_INDEX_IN_TERNAL_1_PASSWORD=secret"}, wants: map[string]string{"A/": user}},
	{name: "environment before URL", tool: withUser, env: []string{"UV_INDEX_IN_TERNAL_1_USERNAME=env", "UV_INDEX_IN_TERNAL_1_PASSWORD=other"}, wants: map[string]string{"A/": "Basic env:other"}},
	{name: "password alone in the environment", tool: named, env: []string{"UV_INDEX_IN_TERNAL_1_PASSWORD=secret"}, wants: map[string]string{"A/": "Basic :secret"}},
	{name: "user name in the environment, password in netrc", tool: named, env: []string{"UV_INDEX_IN_TERNAL_1_USERNAME=user"}, files: map[string]string{".netrc": "machine 127.0.0.1 login user password secret"}, wants: map[string]string{"A/": user}},
	{name: "user name in the environment, netrc of another", tool: named, env: []string{"UV_INDEX_IN_TERNAL_1_USERNAME=user"}, files: map[string]string{".netrc": "machine 127.0.0.1 login else password secret"}, wants: map[string]string{"A/": user}},
	{name: "wrong password", tool: withUser, wants: map[string]string{"A/": "Basic user:right"}},
	{name: "file outside the index, 401", tool: withUser, wheel: "A/files/", wants: map[string]string{"A/": user}},
	{name: "file outside the index, 403", tool: withUser, wheel: "A/files/", wants: map[string]string{"A/": user}, refusal: 403},
	{name: "file outside the index, 404", tool: withUser, wheel: "A/files/", wants: map[string]string{"A/": user}, refusal: 404},
	{name: "file outside the index, 400", tool: withUser, wheel: "A/files/", wants: map[string]string{"A/": user}, refusal: 400},
	{name: "file on another host", tool: withUser, wheel: "B/files/", wants: map[string]string{"B/": user}},
	{name: "file on another host with a netrc", tool: withUser, wheel: "B/files/", files: map[string]string{".netrc": "machine 127.0.0.1\n login n\n password p\n"}, wants: map[string]string{"B/": "Basic n:p"}},
	{name: "netrc's default", files: map[string]string{".netrc": "machine else login a password b\ndefault login n password p"}, wants: map[string]string{"A/": "Basic n:p"}},
	{name: "netrc with quotes", files: map[string]string{".netrc": "machine 127.0.0.1 login \"n\" password \"p q\""}, wants: map[string]string{"A/": "Basic n:p q"}},
	{name: "netrc where none is wanted", files: map[string]string{".netrc": "machine 127.0.0.1 login n password p"}},
	{name: "NETRC", env: []string{"NETRC=HOME/elsewhere"}, files: map[string]string{"elsewhere": "machine 127.0.0.1 login n password p", ".netrc": "machine 127.0.0.1 login x password y"}, wants: map[string]string{"A/": "Basic n:p"}},
	{name: "NETRC that is not there", env: []string{"NETRC=HOME/elsewhere"}, files: map[string]string{".netrc": "machine 127.0.0.1 login x password y"}, wants: map[string]string{"A/": "Basic x:y"}},
	{name: "netrc before the store", files: map[string]string{".netrc": "machine 127.0.0.1 login n password p", storeFile: "[[credential]]\nservice = \"A/\"\nusername = \"user\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": "Basic n:p"}},
	{name: "store", files: map[string]string{storeFile: "[[credential]]\nservice = \"A/\"\nusername = \"user\"\nscheme = \"basic\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": user}},
	{name: "store with a token", files: map[string]string{storeFile: "[[credential]]\nservice = \"A/idx\"\nscheme = \"bearer\"\ntoken = \"t0ken\"\n"}, wants: map[string]string{"A/": "Bearer t0ken"}},
	{name: "store of another place", files: map[string]string{storeFile: "[[credential]]\nservice = \"A/other\"\nusername = \"user\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": user}},
	{name: "store's longest service", files: map[string]string{storeFile: "[[credential]]\nservice = \"A/\"\nusername = \"a\"\npassword = \"a\"\n[[credential]]\nservice = \"A/idx\"\nusername = \"user\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": user}},
	{name: "store with two users", files: map[string]string{storeFile: "[[credential]]\nservice = \"A/\"\nusername = \"a\"\npassword = \"a\"\n[[credential]]\nservice = \"A/\"\nusername = \"user\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": user}},
	{name: "store elsewhere", env: []string{"UV_CREDENTIALS_DIR=HOME/creds"}, files: map[string]string{"creds/credentials.toml": "[[credential]]\nservice = \"A\"\nusername = \"user\"\npassword = \"secret\"\n"}, wants: map[string]string{"A/": user}},
	{name: "keyring that is not asked", keyring: map[string]string{"HA user": "secret"}, tool: strings.Replace(named, "A/", "http://user@HA/", 1), wants: map[string]string{"A/": user}},
	{name: "keyring by URL", keyring: map[string]string{"A/idx/simple user": "secret"}, tool: "keyring-provider = \"subprocess\"\n" + strings.Replace(named, "A/", "http://user@HA/", 1), wants: map[string]string{"A/": user}},
	{name: "keyring by host", keyring: map[string]string{"HA user": "secret"}, env: []string{"UV_KEYRING_PROVIDER=subprocess"}, tool: strings.Replace(named, "A/", "http://user@HA/", 1), wants: map[string]string{"A/": user}},
	{name: "keyring by scheme and host", keyring: map[string]string{"A user": "secret"}, env: []string{"UV_KEYRING_PROVIDER=subprocess", "UV_INDEX_IN_TERNAL_1_USERNAME=user"}, tool: named, wants: map[string]string{"A/": user}},
	{name: "keyring without the user's name", keyring: map[string]string{"A/idx/simple --mode creds": "user\nsecret"}, env: []string{"UV_KEYRING_PROVIDER=subprocess"}, tool: named, wants: map[string]string{"A/": user}},
	{name: "keyring without the user's name, always", keyring: map[string]string{"A/idx/simple --mode creds": "user\nsecret"}, env: []string{"UV_KEYRING_PROVIDER=subprocess"}, tool: named + "authenticate = \"always\"\n", wants: map[string]string{"A/": user}},
	{name: "keyring that has nothing", keyring: map[string]string{}, env: []string{"UV_KEYRING_PROVIDER=subprocess"}, tool: strings.Replace(named, "A/", "http://user@HA/", 1), wants: map[string]string{"A/": user}},
	{name: "always, and nothing known", tool: named + "authenticate = \"always\"\n"},
	{name: "always, with a netrc", tool: named + "authenticate = \"always\"\n", files: map[string]string{".netrc": "machine 127.0.0.1 login n password p"}},
	{name: "never, with a password", tool: withUser + "authenticate = \"never\"\n", wants: map[string]string{"A/": user}},
	{name: "never, with a netrc", tool: named + "authenticate = \"never\"\n", files: map[string]string{".netrc": "machine 127.0.0.1 login n password p"}, wants: map[string]string{"A/": "Basic n:p"}},
	{name: "never, with a user in the lock's URL", tool: named + "authenticate = \"never\"\n", wheel: "http://user:secret@HA/idx/"},
	{name: "an index whose root is no segment", tool: named + "authenticate = \"always\"\n", wheel: "A/idx-other/"},
	{name: "user in the lock's URL", wheel: "http://user:secret@HA/idx/", wants: map[string]string{"A/": user}},
	{name: "user in the lock's URL before the index's", tool: withUser, wheel: "http://lock:own@HA/idx/", wants: map[string]string{"A/": "Basic lock:own"}},
	{name: "user name in the lock's URL", tool: withUser, wheel: "http://user@HA/idx/", wants: map[string]string{"A/": user}},
	{name: "user name in the lock's URL, netrc", wheel: "http://n@HA/idx/", files: map[string]string{".netrc": "machine 127.0.0.1 login n password p"}, wants: map[string]string{"A/": "Basic n:p"}},
	{name: "redirect on the host", tool: withUser, leads: map[string]string{"A/idx/": "A/idx/moved/"}, wants: map[string]string{"A/": user}},
	{name: "redirect on the host, user in the lock's URL", wheel: "http://user:secret@HA/idx/", leads: map[string]string{"A/idx/": "A/moved/"}, wants: map[string]string{"A/": user}},
	{name: "redirect to another host", tool: withUser, leads: map[string]string{"A/idx/": "B/store/"}, wants: map[string]string{"A/": user}},
	{name: "redirect to another host that wants the same", tool: withUser, leads: map[string]string{"A/idx/": "B/store/"}, wants: map[string]string{"A/": user, "B/": user}},
	{name: "redirect to another host, user in the lock's URL", wheel: "http://user:secret@HA/idx/", leads: map[string]string{"A/idx/": "B/store/"}, wants: map[string]string{"A/": user}},
	{name: "redirect with a user of its own", leads: map[string]string{"A/idx/": "http://t:u@HB/store/"}, wants: map[string]string{"B/": "Basic t:u"}},
	{name: "UV_INDEX", env: []string{"UV_INDEX=in-ternal.1=A/idx/simple", "UV_INDEX_IN_TERNAL_1_USERNAME=user", "UV_INDEX_IN_TERNAL_1_PASSWORD=secret"}, wants: map[string]string{"A/": user}},
	{name: "UV_INDEX, several", env: []string{"UV_INDEX=http://o:p@HB/simple http://user:secret@HA/idx/simple"}, wants: map[string]string{"A/": user}},
	{name: "UV_DEFAULT_INDEX", env: []string{"UV_DEFAULT_INDEX=http://user:secret@HA/idx/simple"}, wants: map[string]string{"A/": user}},
	{name: "UV_INDEX_URL", env: []string{"UV_INDEX_URL=http://user:secret@HA/idx/simple"}, wants: map[string]string{"A/": user}},
	{name: "UV_EXTRA_INDEX_URL", env: []string{"UV_EXTRA_INDEX_URL=http://user:secret@HA/idx/simple"}, wants: map[string]string{"A/": user}},
	{name: "UV_FIND_LINKS", env: []string{"UV_FIND_LINKS=http://user:secret@HA/idx"}, wants: map[string]string{"A/": user}},
	{name: "index-url", tool: "index-url = \"http://user:secret@HA/idx/simple\"\n", wants: map[string]string{"A/": user}},
	{name: "index-url in the environment before the file's", env: []string{"UV_INDEX_URL=http://user:secret@HA/idx/simple"}, tool: "index-url = \"http://x:y@HA/idx/simple\"\n", wants: map[string]string{"A/": user}},
	{name: "uv.toml in place of [tool.uv]", tool: withUser, toml: "[[index]]\nurl = \"http://t:u@HA/idx/simple\"\n", wants: map[string]string{"A/": "Basic t:u"}},
	{name: "the user's uv.toml", files: map[string]string{".config/uv/uv.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "the user's uv.toml elsewhere", env: []string{"XDG_CONFIG_HOME=HOME/c"}, files: map[string]string{"c/uv/uv.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "the system's uv.toml", env: []string{"XDG_CONFIG_DIRS=HOME/none:HOME/etc"}, files: map[string]string{"etc/uv/uv.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "the project's before the user's", tool: withUser, files: map[string]string{".config/uv/uv.toml": "[[index]]\nurl = \"http://t:u@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "settings above the project", files: map[string]string{"../uv.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "UV_CONFIG_FILE", env: []string{"UV_CONFIG_FILE=HOME/my.toml"}, files: map[string]string{"my.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n", ".config/uv/uv.toml": "keyring-provider = 1\n"}, wants: map[string]string{"A/": user}},
	{name: "UV_NO_CONFIG", env: []string{"UV_NO_CONFIG=1"}, files: map[string]string{".config/uv/uv.toml": "[[index]]\nurl = \"http://user:secret@HA/idx/simple\"\n"}, wants: map[string]string{"A/": user}},
	{name: "an index that ends in a slash", tool: strings.Replace(withUser, "simple", "simple/", 1), wants: map[string]string{"A/": user}},
	{name: "an index of devpi", registry: "A/idx/+simple/", tool: strings.Replace(withUser, "simple", "+simple/", 1), wants: map[string]string{"A/": user}},
	{name: "an index without simple", registry: "A/idx/api", tool: strings.Replace(withUser, "simple", "api", 1), wheel: "A/idx/files/", wants: map[string]string{"A/": user}},
	{name: "two indexes of one host", tool: withUser + "[[tool.uv.index]]\nurl = \"http://o:p@HA/other/simple\"\n", wheel: "A/other/", wants: map[string]string{"A/other": "Basic o:p"}},
	{name: "two users of one index", tool: withUser + "[[tool.uv.index]]\nurl = \"http://o:p@HA/idx/simple\"\n", wants: map[string]string{"A/": user}},
	{name: "direct URL of the project", direct: true, dependency: "pkg @ http://user:secret@HA/idx/WHEEL", wants: map[string]string{"A/": user}},
	{name: "direct URL of a source", direct: true, tool: "[tool.uv.sources]\npkg = { url = \"http://user:secret@HA/idx/WHEEL\" }\n", wants: map[string]string{"A/": user}},
}

const storeFile = ".local/share/uv/credentials/credentials.toml"

// knownCredentialDifferences are the set-ups in which vpk is not to do what uv does, and why.
var knownCredentialDifferences = map[string]string{
	"UV_FIND_LINKS":                        "uv reads the page of links, which a lock makes needless",
	"never, with a user in the lock's URL": "uv sends it although it is never to send any",
	"an index whose root is no segment":    "for uv the root /idx is the beginning of /idx-other",
}

// authServers are two servers that hand out one wheel under any path, and note what they are asked.
type authServers struct {
	a, b  *httptest.Server
	wheel *testwheel.Builder

	mu   sync.Mutex
	now  setup
	seen []string
}

func newAuthServers(t *testing.T) *authServers {
	s := &authServers{wheel: testwheel.New("pkg", "1.0").File("pkg.py", "")}
	s.a, s.b = httptest.NewServer(http.HandlerFunc(s.serve)), httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.a.Close(); s.b.Close() })
	return s
}

func (s *authServers) replacer(home string) *strings.Replacer {
	hosts := []string{strings.TrimPrefix(s.a.URL, "http://"), strings.TrimPrefix(s.b.URL, "http://")}
	return strings.NewReplacer("@HA/", "@"+hosts[0]+"/", "@HB/", "@"+hosts[1]+"/", "HA ", hosts[0]+" ", "A/", s.a.URL+"/", "B/", s.b.URL+"/",
		"A user", s.a.URL+" user", "\"A\"", "\""+s.a.URL+"\"", "HOME/", home+"/", "WHEEL", s.wheel.Filename())
}

func (s *authServers) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.replacer("")
	auth := r.Header.Get("Authorization")
	if encoded, ok := strings.CutPrefix(auth, "Basic "); ok {
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			auth = "Basic " + string(decoded)
		}
	}
	name := "A"
	if "http://"+r.Host == s.b.URL {
		name = "B"
	}
	here := "http://" + r.Host + r.URL.Path
	s.seen = append(s.seen, fmt.Sprintf("%s %s%s %q", r.Method, name, strings.TrimSuffix(r.URL.Path, s.wheel.Filename()), auth))
	for prefix, want := range s.now.wants {
		if strings.HasPrefix(here, place.Replace(prefix)) && auth != want {
			w.WriteHeader(cmp.Or(s.now.refusal, http.StatusUnauthorized))
			return
		}
	}
	dir := strings.TrimSuffix(here, s.wheel.Filename())
	for from, to := range s.now.leads {
		if dir == place.Replace(from) {
			http.Redirect(w, r, place.Replace(to)+s.wheel.Filename(), http.StatusFound)
			return
		}
	}
	_, _ = w.Write(s.wheel.Bytes())
}

// try runs a program in a set-up, and returns whether it succeeded, what the servers and keyring were asked, and what it said.
func (s *authServers) try(t *testing.T, now setup, command func(dir string) *exec.Cmd) (asked []string, said string) {
	t.Helper()
	top := t.TempDir()
	home, project := filepath.Join(top, "home"), filepath.Join(top, "project")
	place := s.replacer(home)
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(place.Replace(text)), mode); err != nil {
			t.Fatal(err)
		}
	}
	wheelURL, registry, dependency := cmp.Or(now.wheel, "A/idx/"), cmp.Or(now.registry, "A/idx/simple"), cmp.Or(now.dependency, "pkg")
	write(filepath.Join(project, "pyproject.toml"), "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\""+dependency+"\"]\n[tool.uv]\n"+now.tool, 0o644)
	if now.toml != "" {
		write(filepath.Join(project, "uv.toml"), now.toml, 0o644)
	}
	source := fmt.Sprintf("{ registry = %q }", registry)
	if now.direct {
		source = fmt.Sprintf("{ url = %q }", wheelURL+"WHEEL")
	}
	lock := "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"pkg\" }]\n" +
		fmt.Sprintf("\n[[package]]\nname = \"pkg\"\nversion = \"1.0\"\nsource = %s\nwheels = [{ url = %q, hash = \"sha256:%s\" }]\n", source, wheelURL+"WHEEL", s.wheel.SHA256())
	write(filepath.Join(project, "uv.lock"), lock, 0o644)
	for _, name := range slices.Sorted(maps.Keys(now.files)) {
		write(filepath.Join(home, name), now.files[name], 0o600)
	}
	script := "#!/bin/sh\nprintf '%s\\n' \"keyring $*\" >>\"" + filepath.Join(top, "keyring.log") + "\"\nshift\ncase \"$*\" in\n"
	for _, question := range slices.Sorted(maps.Keys(now.keyring)) {
		script += "'" + question + "') printf '%s\\n' '" + now.keyring[question] + "' ;;\n"
	}
	write(filepath.Join(top, "bin", "keyring"), script+"*) exit 1 ;;\nesac\n", 0o755)

	s.mu.Lock()
	s.now, s.seen = now, nil
	s.mu.Unlock()
	cmd := command(project)
	cmd.Dir = project
	cmd.Env = []string{"PATH=" + filepath.Join(top, "bin") + ":" + os.Getenv("PATH"), "HOME=" + home, "UV_HTTP_RETRIES=0", "UV_PYTHON_DOWNLOADS=never", "NO_PROXY=*"}
	for _, variable := range now.env {
		cmd.Env = append(cmd.Env, place.Replace(variable))
	}
	out, err := cmd.CombinedOutput()
	s.mu.Lock()
	defer s.mu.Unlock()
	asked = append(s.seen, fmt.Sprintf("succeeded: %t", err == nil))
	if log, err := os.ReadFile(filepath.Join(top, "keyring.log")); err == nil {
		for line := range strings.Lines(string(log)) {
			asked = append(asked, strings.NewReplacer(s.a.URL, "A", strings.TrimPrefix(s.a.URL, "http://"), "HA").Replace(strings.TrimSpace(line)))
		}
	}
	return asked, string(out)
}

// TestCredentialsLikeUV has uv and vpk get the same wheel in every set-up: the servers, and keyring, have to be asked the same, in the
// same order and with the same credentials, and the outcome has to be the same.
func TestCredentialsLikeUV(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	uv, python := peer.UV(t), peer.Python(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	servers := newAuthServers(t)
	same, different := 0, 0
	for i, now := range setups {
		_, known := knownCredentialDifferences[now.name]
		if i%3 != 0 && !known && !peer.InFull() {
			continue
		}
		t.Run(now.name, func(t *testing.T) {
			want, said := servers.try(t, now, func(string) *exec.Cmd {
				return exec.CommandContext(t.Context(), uv, "sync", "--frozen", "--no-cache", "--no-progress", "--python", python)
			})
			got, ourSaid := servers.try(t, now, func(dir string) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), self, "venv", filepath.Join(dir, "..", "venv"), "--frozen", "--python", python, "--cache-dir", filepath.Join(dir, "..", "cache"))
				cmd.Args[0] = "vpk"
				return cmd
			})
			diff := gocmp.Diff(want, got)
			switch {
			case diff == "" && known:
				t.Errorf("listed as a difference, and is none")
			case diff == "":
				same++
			case known:
				different++
			default:
				t.Errorf("-uv +vpk\n%s\nuv: %s\nvpk: %s", diff, said, ourSaid)
			}
		})
	}
	t.Logf("of %d set-ups: %d the same, %d known to differ", len(setups), same, different)
}
