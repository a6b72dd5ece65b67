package pep440

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// TestAgreesWithUVLock asks uv itself which versions fit which specifiers when
// it locks. Each version v<i> is a package with that single version; for each
// pair there is a package q<k> whose version 2 needs v<i> in that specifier and
// whose version 1 needs nothing, so that the lock tells by q<k>'s version
// whether the two fit.
func TestAgreesWithUVLock(t *testing.T) {
	versions := []string{
		"0.dev0", "0", "0.9", "0.9.post1", "1.0.dev0", "1.0.dev1", "1.0.dev1+x", "1.0.dev2", "1.0a1.dev1", "1.0a1", "1.0a1+x", "1.0a1.post0", "1.0a1.post1", "1.0a1.post1.dev2",
		"1.0a1.post2.dev0", "1.0a1.post2", "1.0a2.dev0", "1.0a2", "1.0rc1", "1.0", "1.0.0", "1.0+x", "1.0+x.1", "1.0.post0.dev1", "1.0.post0", "1.0.post1.dev0", "1.0.post1.dev1",
		"1.0.post1", "1.0.post1+x", "1.0.post2.dev0", "1.0.post2.dev0+x", "1.0.post2", "1.0.0.post1", "1.0.1", "1.1.dev0", "1.1a1", "1.1", "2.dev0", "2.0a1", "2.0", "1!0.1", "1!1.0a1", "1!1.0", "1!1.0.post1", "2!1.0",
	}
	specifiers := []string{
		"===1.0", "===1", "===1.0+x", "===1.0.post1", "<1.0.post0", "<1.0.post1", "<1.0.post2", "<1!1.0.post1", "<1.0.post1.dev1", "<1.0a1.post1", ">1.0.post0", ">1.0.post1", ">1.0a1.post1", ">1.0.post1.dev0",
		">1.0", ">1.0a1", ">1.0.dev1", "<1.0", "<1.0a1", "<1.0.dev1", "<0", "<=1.0", "<=1.0.post1", "<=1.0a1", ">=1.0", ">=1.0a1", ">=1.0.post1", "==1.0", "==1.0+x", "==1.0.*", "==1.*", "!=1.0", "!=1.0+x", "!=1.0.*",
		"~=1.0", "~=1.0.0", "~=1.0a1", "~=1.0.post1", "~=1!1.0", ">1!0.1",
	}
	r := rand.New(rand.NewPCG(440, 118))
	type pair struct{ version, specifier int }
	var pairs []pair
	for i := range versions {
		for j := range specifiers {
			if listed := j < 14; peer.InFull() || r.IntN(10) == 0 || listed && r.IntN(3) == 0 {
				pairs = append(pairs, pair{i, j})
			}
		}
	}

	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	add := func(b *testwheel.Builder) { write(b.Filename(), b.Bytes()) }
	for i, v := range versions {
		add(testwheel.New(fmt.Sprintf("v%d", i), v))
	}
	questions := make([]string, len(pairs))
	for k, p := range pairs {
		name := fmt.Sprintf("q%d", k)
		add(testwheel.New(name, "2").Requires(fmt.Sprintf("v%d%s", p.version, specifiers[p.specifier])))
		add(testwheel.New(name, "1"))
		questions[k] = fmt.Sprintf("%q", name)
	}
	write("pyproject.toml", []byte(`[project]
name = "project"
version = "1"
requires-python = ">=3.8"
dependencies = [`+strings.Join(questions, ", ")+`]
[tool.uv]
package = false
`))
	var lock struct {
		Package []struct{ Name, Version string }
	}
	if err := toml.Unmarshal(peer.Lock(t, dir, "--find-links", ".", "--prerelease", "allow"), &lock); err != nil {
		t.Fatal(err)
	}
	locked := map[string]string{}
	for _, p := range lock.Package {
		locked[p.Name] = p.Version
	}
	for k, p := range pairs {
		set, err := ParseSpecifiers(specifiers[p.specifier])
		if err != nil {
			t.Fatal(err)
		}
		want := locked[fmt.Sprintf("q%d", k)] == "2"
		if got := set.Contains(MustParse(versions[p.version])); got != want {
			t.Errorf("%q contains %q: %t, uv locks as if %t", set, versions[p.version], got, want)
		}
	}
	t.Logf("%d pairs", len(pairs))
}
