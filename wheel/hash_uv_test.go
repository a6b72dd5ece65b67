package wheel_test

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"vpk/internal/cas"
	"vpk/internal/peer"
	"vpk/internal/testwheel"
	"vpk/internal/transport"
	"vpk/lockfile"
	"vpk/wheel"
)

// lockWith is a lock whose one package has a wheel on a server.
const lockWith = `version = 1
revision = 3
requires-python = ">=3.8"

[[package]]
name = "a"
version = "1"
source = { registry = "%[1]s" }
wheels = [{ url = "%[2]s", hash = "%[3]s" }]

[[package]]
name = "root"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "a" }]
`

// TestUVVerifiesHashes: each algorithm of a lock is verified as uv verifies it, right digests and wrong ones. Of digests in
// upper case uv says that no file has them.
func TestUVVerifiesHashes(t *testing.T) {
	uv, python := peer.UV(t), peer.Python(t)
	server, b := testwheel.NewServer(t), testwheel.New("a", "1").File("a.py", "")
	url, data := server.AddWheel(b), b.Bytes()
	digests := map[string]string{
		"md5":     fmt.Sprintf("%x", md5.Sum(data)),
		"sha256":  fmt.Sprintf("%x", sha256.Sum256(data)),
		"sha384":  fmt.Sprintf("%x", sha512.Sum384(data)),
		"sha512":  fmt.Sprintf("%x", sha512.Sum512(data)),
		"blake2b": fmt.Sprintf("%x", blake2b.Sum256(data)),
	}
	type expectation struct{ uv, vpk bool }
	cases := map[string]expectation{
		"SHA256:" + digests["sha256"]:                        {false, false},
		"sha256:" + strings.ToUpper(digests["sha256"]):       {false, true},
		"blake2b:" + strings.ToUpper(digests["blake2b"]):     {false, true},
		"blake2b:" + fmt.Sprintf("%x", blake2b.Sum512(data)): {false, false},
		"sha224:" + fmt.Sprintf("%x", sha256.Sum224(data)):   {false, false},
		"sha256:" + digests["sha256"] + ":":                  {false, false},
	}
	for algorithm, digest := range digests {
		cases[algorithm+":"+digest] = expectation{true, true}
		cases[algorithm+":"+digest[1:]+digest[:1]] = expectation{false, false}
	}
	for hash, want := range cases {
		t.Run(hash, func(t *testing.T) {
			lock := fmt.Sprintf(lockWith, server.URL, url, hash)
			if asked(hash) {
				if got := uvInstalls(t, uv, python, lock); got != want.uv {
					t.Errorf("uv installs it: %t", got)
				}
			}
			if got := fetches(t, lock); got != want.vpk {
				t.Errorf("we fetch it: %t", got)
			}
		})
	}
}

// asked tells whether uv is asked about a case: of all with VPK_PROOF=1, else of about every fourth, always the same.
func asked(name string) bool { return peer.InFull() || crc32.ChecksumIEEE([]byte(name))%4 == 0 }

// uvInstalls tells whether uv takes the lock's wheel.
func uvInstalls(t *testing.T, uv, python, lock string) bool {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"uv.lock":        lock,
		"pyproject.toml": "[project]\nname = \"root\"\nversion = \"0\"\nrequires-python = \">=3.8\"\ndependencies = [\"a\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), uv, "sync", "--frozen", "--no-cache", "--no-config", "--quiet", "--python", python)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("uv: %s", out)
	}
	return err == nil
}

// fetches tells whether the lock's wheel enters a cache.
func fetches(t *testing.T, text string) bool {
	lock, err := lockfile.Parse([]byte(text), "uv.lock")
	if err != nil {
		t.Logf("vpk: %v", err)
		return false
	}
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := transport.New(transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := lock.Named("a")[0].Wheels[0]
	ref := wheel.Ref{Filename: file.Filename, URL: file.URL, Hash: wheel.Hash{Algorithm: file.Hash.Algorithm, Hex: file.Hash.Hex}}
	w, err := wheel.NewStore(cache, client, wheel.Options{}).Fetch(t.Context(), ref)
	if err != nil {
		t.Logf("vpk: %v", err)
		return false
	}
	_ = w.Close()
	return true
}
