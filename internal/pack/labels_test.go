package pack

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRecipe: whatever the label of a foreign image says, what is taken from it is what is said of it again.
func FuzzRecipe(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"package":["a"],"no-bytecode":true}`, `{"extra":["B_c","b-C",""],"compression":"zstd:9"}`, `{"x":1}`, `null`, `{} {}`, `[]`, `{"only-group":["dev"]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, label string) {
		r, err := readRecipe(label)
		if err != nil {
			return
		}
		var once, twice Options
		r.choose(&once)
		first := once.recipe()
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readRecipe(string(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again.choose(&twice)
		if d := cmp.Diff(first, twice.recipe()); d != "" {
			t.Errorf("%q: %s", label, d)
		}
	})
}
