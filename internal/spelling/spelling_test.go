package spelling_test

import (
	"testing"

	"vpk/internal/spelling"
)

func TestNearest(t *testing.T) {
	words := []string{"base", "cmd", "entrypoint", "env", "exclude", "labels", "user", "workdir"}
	for word, want := range map[string]string{"cnd": "cmd", "mcd": "cmd", "enrtypoint": "entrypoint", "entry-point": "entrypoint", "zebra": "", "bse": "base", "workdr": "workdir"} {
		if got := spelling.Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
