package lockfile_test

import (
	"testing"

	"vpk/lockfile"
)

// TestSourceForMessages shows where a package is from, and nothing that could be a secret.
func TestSourceForMessages(t *testing.T) {
	for _, c := range []struct {
		kind           lockfile.SourceKind
		location, want string
	}{
		{lockfile.Registry, "https://user:secret@index.example/simple", "registry https://index.example/simple"},
		{lockfile.Registry, "../links", "registry ../links"},
		{lockfile.URL, "https://files.example/a.whl?token=secret#secret", "url https://files.example/a.whl"},
		{lockfile.URL, "https://u:secret@files.example:x/%", "url (malformed URL)"},
		{lockfile.Git, "ssh://git@git.example/a?rev=main#0123", "git ssh://git@git.example/a?rev=main at 0123"},
		{lockfile.Git, "https://u:secret@git.example/a", "git https://git.example/a"},
		{lockfile.Path, "wheels/100%.whl", "path wheels/100%.whl"},
		{lockfile.Editable, ".", "editable ."},
	} {
		if got := (lockfile.Source{Kind: c.kind, Location: c.location}).String(); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.kind, c.location, got, c.want)
		}
	}
}
