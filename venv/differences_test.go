package venv

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"vpk/venv/tree"
)

// leftOut are files of uv's environments that ours do not have, by their last elements.
var leftOut = []string{
	"CACHEDIR.TAG", ".gitignore", ".lock", "bin/activate", "bin/activate.bat", "bin/activate.csh", "bin/activate.fish", "bin/activate.nu",
	"bin/activate.ps1", "bin/activate_this.py", "bin/deactivate.bat", "bin/pydoc.bat", "site-packages/_virtualenv.py", "site-packages/_virtualenv.pth",
}

// asOurs applies the deliberate differences to an environment of uv's: the list of the package comment, nothing else.
func asOurs(t *testing.T, env map[string]written, s Spec) {
	t.Helper()
	for _, name := range leftOut {
		for p := range env {
			if p == name || p == path.Join(path.Dir(s.sitePackages()), name) {
				delete(env, p)
			}
		}
	}
	changed := map[string]row{}
	change := func(p, text string) {
		f := env[p]
		f.content = text
		env[p] = f
		r := newRow(relative(s.sitePackages(), p), tree.Bytes(text))
		changed[r.path] = r
	}
	// Files of the environment's own dist-info directories, not of those that packages vendor.
	isInfo := func(p, name string) bool {
		return path.Base(p) == name && path.Dir(path.Dir(p)) == s.sitePackages() && strings.HasSuffix(path.Dir(p), ".dist-info")
	}
	for p, f := range env {
		switch {
		case p == "pyvenv.cfg":
			var kept string
			for line := range strings.Lines(f.content) {
				if !strings.HasPrefix(line, "uv = ") && !strings.HasPrefix(line, "prompt = ") {
					kept += line
				}
			}
			change(p, kept)
		case isInfo(p, "INSTALLER"):
			change(p, "vpk")
		case isInfo(p, "uv_cache.json"):
			delete(env, p)
		case f.mode.IsRegular():
			if rest, ok := strings.CutPrefix(f.content, "#!"+s.Prefix+"/bin/python3\n"); ok {
				change(p, s.shebang()+rest)
			}
		}
	}
	for p, f := range env {
		if !isInfo(p, "RECORD") {
			continue
		}
		rows, err := parseRecord([]byte(f.content))
		if err != nil {
			t.Fatal(err)
		}
		f.content = string(formatRecord(rowsAsOurs(rows, relative(s.sitePackages(), p), env, changed, s)))
		env[p] = f
	}
}

// rowsAsOurs gives RECORD one row for each file that is there, the true one where there are two.
func rowsAsOurs(rows []row, record string, env map[string]written, changed map[string]row, s Spec) []row {
	last := map[string]row{}
	for _, r := range rows {
		if below, ok := strings.CutPrefix(r.path, "../../../lib64/"); ok {
			r.path = relative(s.sitePackages(), "lib/"+below)
		}
		at, ok := env[path.Join(s.sitePackages(), r.path)]
		if !ok {
			continue
		}
		if c, ok := changed[r.path]; ok {
			r = c
		}
		if r.path == record {
			r.hash, r.size = "", -1
		}
		if _, twice := last[r.path]; !twice || r == newRow(r.path, tree.Bytes(at.content)) {
			last[r.path] = r
		}
	}
	return slices.Collect(maps.Values(last))
}
