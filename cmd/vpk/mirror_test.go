package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// TestMirrors installs from one lock, whose URLs lead nowhere, with mirrors of all kinds, and packs it: the image is that of a
// pack without mirrors.
func TestMirrors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	base, python := "oci:"+peer.Base(t, "BASE12"), peer.Python(t)
	top := t.TempDir()
	wheel := testwheel.New("my_pkg", "1.0+cpu").File("my_pkg.py", "X = 1\n")
	name := wheel.Filename()
	flat, deep := filepath.Join(top, "flat"), filepath.Join(top, "deep")
	for _, dir := range []string{flat, filepath.Join(deep, "packages", "aa")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		wheel.Write(t, dir)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, _, _ := r.BasicAuth(); {
		case strings.HasPrefix(r.URL.Path, "/wrong/"):
			_, _ = w.Write([]byte("another file"))
		case r.URL.Path == "/proxy/packages/aa/"+name, r.URL.Path == "/nexus/packages/my-pkg/1.0+cpu/"+name,
			r.URL.Path == "/private/aa/"+name && user == "reader":
			_, _ = w.Write(wheel.Bytes())
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()

	lock := func(dir, url, hash string) string {
		project := filepath.Join(top, dir)
		for file, text := range map[string]string{
			"app.py":         "",
			"pyproject.toml": "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"my-pkg\"]\n[tool.vpk]\nexclude = [\"pyproject.toml\"]\n",
			"uv.lock": "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"my-pkg\" }]\n" +
				"\n[package.metadata]\nrequires-dist = [{ name = \"my-pkg\" }]\n\n[[package]]\nname = \"my-pkg\"\nversion = \"1.0+cpu\"\nsource = { registry = \"http://gone.invalid/simple\" }\n" +
				fmt.Sprintf("wheels = [\n    { url = %q%s },\n]\n", url+strings.ReplaceAll(name, "+", "%2B"), hash),
		} {
			if err := os.MkdirAll(project, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(project, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return project
	}
	hash := fmt.Sprintf(", hash = \"sha256:%s\"", wheel.SHA256())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, project string, env []string, args ...string) (printed, said string, err error) {
		t.Helper()
		out := t.TempDir()
		cmd := exec.CommandContext(t.Context(), self, append(args, "-v", "--cache-dir", filepath.Join(out, "cache"))...)
		cmd.Args[0], cmd.Dir = "vpk", project
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + out, "UV_HTTP_RETRIES=0"}, env...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, err := cmd.Output()
		return string(stdout), stderr.String(), err
	}
	pack := func(t *testing.T, project string, flags ...string) (digest, said string, err error) {
		t.Helper()
		return run(t, project, nil, append([]string{"pack", "--base", base, "--no-bytecode", "-o", "dir:" + filepath.Join(t.TempDir(), "files")}, flags...)...)
	}
	install := func(t *testing.T, project string, env []string, flags ...string) (said string, err error) {
		t.Helper()
		_, said, err = run(t, project, env, append([]string{"venv", filepath.Join(t.TempDir(), "venv"), "--python", python}, flags...)...)
		return said, err
	}
	want, said, err := pack(t, lock("direct", server.URL+"/proxy/packages/aa/", hash))
	if err != nil {
		t.Fatal(said)
	}
	project := lock("gone", "http://gone.invalid/packages/aa/", hash)
	const from = "http://gone.invalid"
	for _, tt := range []struct {
		name  string
		env   []string
		flags []string
		says  string
	}{
		{"a proxy", nil, []string{"--mirror", from + "=" + server.URL + "/proxy"}, "is from mirror " + server.URL},
		{"the longest rule", nil, []string{"--mirror", from + "=" + server.URL + "/none", "--mirror", from + "/packages/=" + server.URL + "/proxy/packages/"}, ""},
		{"the second of two", nil, []string{"--mirror", from + "=" + server.URL + "/none", "--mirror", from + "=" + server.URL + "/proxy"}, ""},
		{"the right one of two", nil, []string{"--mirror", from + "=" + server.URL + "/wrong", "--mirror", from + "=" + server.URL + "/proxy"}, ""},
		{"names", nil, []string{"--mirror", from + "=" + server.URL + "/nexus/packages/{name}/{version}/{filename}"}, ""},
		{"a user", nil, []string{"--mirror", from + "/packages=" + strings.Replace(server.URL, "://", "://reader:pw@", 1) + "/private"}, ""},
		{"a directory", nil, []string{"--mirror", from + "=" + flat}, "is from mirror " + flat},
		{"a directory, offline", nil, []string{"--offline", "--mirror", from + "=" + flat}, ""},
		{"a relative directory of the same shape", nil, []string{"--mirror", from + "=../deep"}, ""},
		{"a file URL", nil, []string{"--mirror", from + "=file://" + flat}, ""},
		{"the environment", []string{"VPK_MIRROR=http://else.invalid=" + deep + " " + from + "=" + flat}, nil, ""},
		{"a flag before the environment", []string{"VPK_MIRROR=" + from + "=" + flat}, []string{"--mirror", from + "=" + deep}, "is from mirror " + deep},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if said, err := install(t, project, tt.env, tt.flags...); err != nil || !strings.Contains(said, tt.says) {
				t.Errorf("%v: want %q\n%s", err, tt.says, said)
			}
		})
	}
	manifest := filepath.Join(project, "pyproject.toml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, append(text, "[[tool.vpk.mirror]]\nfrom = \""+from+"\"\nto = [\"../none\", \"../flat\"]\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, said, err := pack(t, project); err != nil || got != want {
		t.Errorf("[tool.vpk]: %v: %q\n%s", err, got, said)
	}
	for _, tt := range []struct {
		name, dir, hash string
		flags           []string
		code            int
		says            string
	}{
		{"none has it", "missing", hash, []string{"--mirror", from + "=" + server.URL + "/none", "--mirror", from + "=../none"}, 6, "no mirror has it: download \"" + server.URL + "/none/packages/aa/"},
		{"another file", "wrong", hash, []string{"--mirror", from + "=" + server.URL + "/wrong"}, 5, "wrong hash"},
		{"no hash", "unlocked", "", []string{"--mirror", from + "=" + flat}, 5, "my_pkg-1.0+cpu-py3-none-any.whl\": there is no hash"},
		{"offline", "offline", hash, []string{"--offline", "--mirror", from + "=../none"}, 6, "network access is turned off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said, err := install(t, lock(tt.dir, "http://gone.invalid/packages/aa/", tt.hash), nil, tt.flags...)
			exit, ok := err.(*exec.ExitError)
			if !ok || exit.ExitCode() != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("%v, want exit code %d\n%s", err, tt.code, said)
			}
		})
	}
}
