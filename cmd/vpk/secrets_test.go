package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// secretMark is in every secret. It is letters alone, so that no escaping of URLs, JSON or Go changes it.
const secretMark = "sEcReTsEcReT"

// secrets makes words that must not be told, each with characters that URLs encode.
type secrets struct{ words []string }

func (s *secrets) word(name string) string {
	word := secretMark + "/" + name + "+wOrd@%é"
	s.words = append(s.words, word)
	return word
}

// user makes the user part of a URL of a secret name and a secret password.
func (s *secrets) user(name string) string {
	return url.UserPassword(s.word("user-"+name), s.word("pass-"+name)).String()
}

// secretForms are the ways in which secretMark may appear: as it is, or in base64 at each offset within a longer text.
var secretForms = func() [][]byte {
	list := [][]byte{[]byte(secretMark), []byte(strings.ToLower(secretMark))}
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte("xx"[:offset] + secretMark + "xxx"))
		list = append(list, []byte(text[4:12]))
	}
	return list
}()

// findSecrets gives the places in a text where there is a secret in any form.
func findSecrets(text []byte) []string {
	var found []string
	for _, form := range secretForms {
		if i := bytes.Index(text, form); i >= 0 {
			found = append(found, string(text[max(0, i-20):min(len(text), i+60)]))
		}
	}
	return found
}

// secretPlaces is a project that has a secret wherever there can be one, and the servers that it takes them to.
type secretPlaces struct {
	secrets
	t                     *testing.T
	top, project          string
	files, mirror, pushed *httptest.Server
	proxy, stores         *httptest.Server
	wheels                map[string]*testwheel.Builder
	env                   []string

	mu sync.Mutex
	// status is what all servers answer with instead, if it is not 0.
	status int
	// closed is whether the registry refuses everybody.
	closed bool
}

func newSecretPlaces(t *testing.T) *secretPlaces {
	s := &secretPlaces{t: t, top: t.TempDir(), wheels: map[string]*testwheel.Builder{}}
	s.project = filepath.Join(s.top, "project")
	for _, name := range []string{"indexed", "inlock", "direct", "netrced", "keyringed", "stored", "proxied", "mirrored", "enved", "usered"} {
		s.wheels[name] = testwheel.New(name, "1.0").File(name+".py", "")
	}
	serve := func(handler http.Handler) *httptest.Server {
		server := httptest.NewServer(handler)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		return server
	}
	s.files = serve(http.HandlerFunc(s.serve))
	s.mirror = serve(http.HandlerFunc(s.serve))
	s.proxy = serve(http.HandlerFunc(s.serve))
	s.stores = serve(http.HandlerFunc(s.serve))
	hub := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.pushed = serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if _, password, ok := r.BasicAuth(); !ok || closed || !slices.Contains(s.words, password) {
			w.Header().Set("WWW-Authenticate", "Basic realm=\"x\"")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		hub.ServeHTTP(w, r)
	}))
	s.write()
	return s
}

// serve wants some credentials of every request, on whatever path.
func (s *secretPlaces) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	auth := r.Header.Get("Authorization") + r.Header.Get("Proxy-Authorization")
	name, _, _ := strings.Cut(filepath.Base(r.URL.Path), "-")
	b := s.wheels[name]
	switch {
	case status == http.StatusFound:
		http.Redirect(w, r, "http://"+s.user("redirect")+"@127.0.0.1:1/x?X-Amz-Signature="+url.QueryEscape(s.words[0]), status)
	case status != 0:
		http.Error(w, strings.Join(s.words, " "), status)
	case auth == "":
		w.WriteHeader(http.StatusUnauthorized)
	case b == nil:
		http.NotFound(w, r)
	default:
		_, _ = w.Write(b.Bytes())
	}
}

func (s *secretPlaces) file(name, text string, mode os.FileMode) {
	s.t.Helper()
	name = filepath.Join(s.top, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// write writes the project and the user's files. 127.0.0.1 is the host of credentials in URLs, localhost that of the netrc.
func (s *secretPlaces) write() {
	host := strings.TrimPrefix(s.files.URL, "http://")
	local := strings.Replace(host, "127.0.0.1", "localhost", 1)
	signed := "?X-Amz-Signature=" + url.QueryEscape(s.word("signature")) + "&token=" + url.QueryEscape(s.word("token"))
	direct := "http://" + s.user("direct") + "@" + host + "/direct/" + s.wheels["direct"].Filename() + signed
	urls := map[string]string{
		"indexed":   "http://" + host + "/idx/files/",
		"inlock":    "http://" + s.user("lock") + "@" + host + "/lock/",
		"netrced":   "http://" + local + "/netrc/",
		"keyringed": "http://" + host + "/keyring/",
		"stored":    s.stores.URL + "/stored/",
		"proxied":   "http://files.example/",
		"mirrored":  "http://gone.example/packages/",
		"enved":     "http://" + host + "/env/",
		"usered":    "http://" + host + "/user/",
	}
	lock := "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = ["
	requires, packages := "", ""
	var names []string
	for _, name := range []string{"direct", "enved", "indexed", "inlock", "keyringed", "mirrored", "netrced", "proxied", "stored", "usered"} {
		lock += fmt.Sprintf("\n    { name = %q },", name)
		source, file := "{ registry = \"http://"+host+"/idx/simple\" }", urls[name]+s.wheels[name].Filename()+signed
		if name == "direct" {
			source, file = fmt.Sprintf("{ url = %q }", direct), direct
			requires += fmt.Sprintf("\n    { name = %q, url = %q },", name, direct)
		} else {
			names = append(names, name)
			requires += fmt.Sprintf("\n    { name = %q },", name)
		}
		packages += fmt.Sprintf("\n[[package]]\nname = %q\nversion = \"1.0\"\nsource = %s\nwheels = [\n    { url = %q, hash = \"sha256:%s\" },\n]\n", name, source, file, s.wheels[name].SHA256())
	}
	lock += "\n]\n\n[package.metadata]\nrequires-dist = [" + requires + "\n]\n" + packages
	s.file("project/uv.lock", lock, 0o644)
	s.file("project/pyproject.toml", fmt.Sprintf("[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [%s]\n", quotedList(append(names, "direct @ "+direct)))+
		"[tool.uv]\nkeyring-provider = \"subprocess\"\n"+
		"[[tool.uv.index]]\nname = \"in\"\nurl = \"http://"+s.user("index")+"@"+host+"/idx/simple\"\n"+
		"[[tool.uv.index]]\nname = \"key\"\nurl = \"http://keyuser@"+host+"/keyring/simple\"\n"+
		"[[tool.uv.index]]\nname = \"envd\"\nurl = \"http://"+host+"/env/simple\"\n"+
		"[tool.vpk]\nexclude = [\"pyproject.toml\"]\n"+
		"[[tool.vpk.mirror]]\nfrom = \"http://gone.example\"\nto = [\"http://"+s.user("mirror-1")+"@"+host+"/none/\", \"/nonexistent\"]\n", 0o644)
	s.file("project/app.py", "", 0o644)
	s.file("home/.netrc", fmt.Sprintf("machine localhost login %q password %q\n", s.word("netrc-user"), s.word("netrc")), 0o600)
	s.file("home/.config/uv/uv.toml", "index = [{ url = \"http://"+s.user("user-index")+"@"+host+"/user/simple\" }]\n", 0o600)
	s.file("home/.local/share/uv/credentials/credentials.toml", fmt.Sprintf("[[credential]]\nservice = %q\nusername = %q\npassword = %q\n", s.stores.URL, s.word("store-user"), s.word("store")), 0o600)
	s.file("home/.docker/config.json", fmt.Sprintf("{\"auths\": {%q: {\"auth\": %q}}}", strings.TrimPrefix(s.pushed.URL, "http://"),
		base64.StdEncoding.EncodeToString([]byte("builder:"+s.word("registry")))), 0o600)
	s.file("bin/keyring", "#!/bin/sh\necho '"+s.word("keyring")+"'\necho '"+s.word("keyring-says")+"' >&2\n", 0o755)
	s.env = []string{
		"PATH=" + filepath.Join(s.top, "bin") + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(s.top, "home"),
		"UV_INDEX_ENVD_USERNAME=" + s.word("env-user"), "UV_INDEX_ENVD_PASSWORD=" + s.word("env"),
		"UV_INDEX=http://" + s.user("env-index") + "@" + host + "/env2/simple",
		"HTTP_PROXY=" + strings.Replace(s.proxy.URL, "://", "://"+s.user("proxy")+"@", 1),
		"VPK_MIRROR=http://gone.example/packages=" + strings.Replace(s.mirror.URL, "://", "://"+s.user("mirror-2")+"@", 1),
		"UV_HTTP_RETRIES=0", "UV_HTTP_TIMEOUT=5",
	}
}

func quotedList(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(list, ", ")
}

// run starts vpk with nothing in its cache, and looks for secrets in what it prints and writes. want is its exit code, -1 for any.
func (s *secretPlaces) run(t *testing.T, name string, want int, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(s.top, "out", strings.ReplaceAll(name, " ", "-"))
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append(args, "--cache-dir", filepath.Join(out, "cache"))...)
	cmd.Args[0], cmd.Dir = "vpk", s.project
	cmd.Env = append(slices.Clone(s.env), "OUT="+out)
	for i, arg := range cmd.Args {
		cmd.Args[i] = strings.ReplaceAll(arg, "OUT", out)
	}
	text, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want && want >= 0 {
		t.Errorf("%s: exit code %d, want %d: %v\n%s", name, code, want, err, text)
	}
	if found := findSecrets(text); found != nil {
		t.Errorf("%s: printed are %q:\n%s", name, found, text)
	}
	err = filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range findSecrets(append([]byte(path+"\n"), data...)) {
			t.Errorf("%s: %s holds %s", name, path, found)
		}
		if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			inflated, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			for _, found := range findSecrets(inflated) {
				t.Errorf("%s: compressed in %s is %s", name, path, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fail has all servers answer with a status, 0 for what they should.
func (s *secretPlaces) fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// TestSecretsAreNotTold packs with secrets wherever there can be some, succeeding and failing, and looks for each of them, in every
// encoding, in all that is printed and written: messages, reports, the cache, the image.
func TestSecretsAreNotTold(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	base, python := "oci:"+peer.Base(t, "BASE12"), peer.Python(t)
	s := newSecretPlaces(t)
	for _, prefix := range []string{"", "u", "us", "user:"} {
		if text := base64.StdEncoding.EncodeToString([]byte(prefix + s.words[3])); len(findSecrets([]byte(text))) != 1 || len(findSecrets([]byte(url.QueryEscape(s.words[3])))) != 1 {
			t.Fatalf("the search finds nothing in %q", text)
		}
	}
	image := strings.TrimPrefix(s.pushed.URL, "http://") + "/team/service:1"
	pack := func(more ...string) []string {
		return append([]string{"pack", "-v", "--base", base, "--no-bytecode", "-o", "dir:OUT/files"}, more...)
	}
	// install takes the same ways as pack, without an image.
	install := func(more ...string) []string {
		return append([]string{"venv", "-v", "OUT/venv", "--python", python, "--trace", "OUT/trace.json"}, more...)
	}
	s.run(t, "packed", 0, pack("-t", image, "--push", "--digest-file", "OUT/digest", "--trace", "OUT/trace.json")...)
	report := s.run(t, "packed with a report", 0, pack("--json", "-o", "oci:OUT/image", "-t", image)...)
	if !strings.Contains(report, "proxied-1.0") {
		t.Errorf("the report: %s", report)
	}
	s.run(t, "planned", 0, "plan", "--json", "--base", base)
	s.run(t, "mirror that is none", 2, pack("--mirror", "http://"+s.user("bad-mirror")+"@x.example")...)
	for _, status := range []int{400, 401, 403, 404, 407, 500, 302} {
		s.fail(status)
		s.run(t, fmt.Sprintf("answered %d", status), 6, install()...)
	}
	s.fail(0)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.run(t, "not pushed", 8, pack("--json", "-t", image, "--push", "--trace", "OUT/trace.json")...)
	s.run(t, "offline", 6, install("--offline")...)
	s.wheels["indexed"].File("more.py", "")
	s.run(t, "another file", 5, install()...)

	manifest, err := os.ReadFile(filepath.Join(s.project, "pyproject.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"stale":              {"direct @ http://", "direct @ https://"},
		"malformed URL":      {"direct @ http://", "direct @ http://[" + s.word("host")},
		"malformed marker":   {"\"]\n[tool.uv]", " ; bogus\"]\n[tool.uv]"},
		"malformed TOML":     {"name = \"in\"\nurl = \"", "name = \"in\"\nurl = \"" + s.word("toml") + "\\q"},
		"type":               {"name = \"in\"\nurl = \"", "name = \"in\"\nurl = [\""},
		"index without name": {"name = \"in\"", "name = \"in/\""},
		"mirror":             {"from = \"http://gone.example\"", "from = \"http://" + s.user("from") + "@gone.example\""},
		"mirror's scheme":    {"to = [\"http://", "to = [\"ftp://"},
		"source":             {"[tool.uv]", "[tool.uv]\nsources = { enved = { url = \"http://" + s.user("source") + "@x.example/a-1-py3-none-any.whl\" } }"},
		"git source":         {"[tool.uv]", "[tool.uv]\nsources = { enved = { git = \"https://" + s.user("git") + "@x.example/r?token=" + url.QueryEscape(s.word("git-query")) + "\" } }"},
	} {
		text := strings.Replace(string(manifest), edit[0], edit[1], 1)
		if text == string(manifest) {
			t.Fatalf("%s: nothing is edited", name)
		}
		s.file("project/pyproject.toml", text, 0o644)
		want := 2
		if name == "stale" || name == "malformed URL" || strings.HasSuffix(name, "source") {
			want = 3
		}
		s.run(t, "pyproject "+name, want, install()...)
	}
	s.file("project/pyproject.toml", string(manifest), 0o644)
	lock, err := os.ReadFile(filepath.Join(s.project, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"malformed URL":  {"/idx/files/indexed", "/idx/files%zz/indexed"},
		"malformed host": {"url = \"http://", "url = \"http://[" + s.word("lock-host")},
		"no wheel":       {"indexed-1.0-py3-none-any.whl", "indexed-1.0.zip"},
		"no hash":        {", hash = ", ", no-hash = "},
		"another index":  {"source = { registry = \"http://", "source = { registry = \"http://" + s.user("lock-index") + "@other."},
		"scheme":         {"\"http://" + strings.TrimPrefix(s.files.URL, "http://") + "/idx/files", "\"ssh://" + s.user("ssh") + "@x.example/"},
		"sdist":          {"py3-none-any.whl?", "py3-none-any.tar.gz?"},
	} {
		text := strings.Replace(string(lock), edit[0], edit[1], 1)
		if text == string(lock) {
			t.Fatalf("%s: nothing is edited", name)
		}
		s.file("project/uv.lock", text, 0o644)
		s.run(t, "lock "+name, -1, install()...)
		s.run(t, "lock frozen "+name, -1, install("--frozen")...)
	}
}
