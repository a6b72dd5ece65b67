package layer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func indexEntry(tag string) v1.Descriptor {
	return v1.Descriptor{
		MediaType: types.OCIManifestSchema1, Size: 7, Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)},
		Annotations: map[string]string{refName: tag},
	}
}

const ours = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,` +
	`"digest":"sha256:abababababababababababababababababababababababababababababababab","annotations":{"org.opencontainers.image.ref.name":"v1"}}`

func TestUpdateIndex(t *testing.T) {
	const head = `{"annotations":{"keep":"me"},"manifests":[`
	const tail = `],"schemaVersion":2,"x-unknown":[1.50,"<"]}`
	const other = `{"digest":"sha256:00","annotations":{"org.opencontainers.image.ref.name":"other"},"x-unknown":{}}`
	const unnamed = `{"digest":"sha256:01"}`
	const older = `{"digest":"sha256:02","annotations":{"org.opencontainers.image.ref.name":"v1"}}`
	for name, c := range map[string]struct{ old, want string }{
		"none":     {"", `{"manifests":[` + ours + `],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}`},
		"empty":    {`{"schemaVersion":2,"manifests":null}`, `{"manifests":[` + ours + `],"schemaVersion":2}`},
		"added":    {head + other + "," + unnamed + tail, head + other + "," + unnamed + "," + ours + tail},
		"replaced": {head + older + "," + other + tail, head + ours + "," + other + tail},
		"twice":    {head + other + "," + older + "," + older + tail, head + other + "," + ours + tail},
	} {
		got, err := updateIndex([]byte(c.old), indexEntry("v1"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, strings.ReplaceAll(string(got), `\u003c`, "<")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	for _, broken := range []string{"{", "[]", "null", "{}", `{"schemaVersion":1}`, `{"schemaVersion":2}`, `{"schemaVersion":2,"manifests":{}}`, `{"schemaVersion":2,"manifests":["x"]}`} {
		if got, err := updateIndex([]byte(broken), indexEntry("v1")); err == nil {
			t.Errorf("%q became %s", broken, got)
		}
	}
}

// FuzzUpdateIndex: an index that is accepted has our entry once, all others with other names, and is a fixed point.
func FuzzUpdateIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[` + ours + `,{}]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[null,{"annotations":null}],"a":1e999}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":null}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, old []byte) {
		m := indexEntry("v1")
		updated, err := updateIndex(old, m)
		if err != nil {
			return
		}
		count := func(data []byte) (own, others int) {
			fields := map[string]json.RawMessage{} // a struct would also take "Manifests"
			var entries []struct {
				Annotations map[string]string `json:"annotations"`
			}
			if len(data) > 0 {
				if err := errors.Join(json.Unmarshal(data, &fields), json.Unmarshal(fields["manifests"], &entries)); err != nil {
					t.Fatalf("%q: %v", data, err)
				}
			}
			for _, e := range entries {
				if e.Annotations[refName] == "v1" {
					own++
				} else {
					others++
				}
			}
			return own, others
		}
		_, before := count(old)
		if own, others := count(updated); own != 1 || others != before {
			t.Errorf("%q became %q: %d of ours, %d of %d others", old, updated, own, others, before)
		}
		if again, err := updateIndex(updated, m); err != nil || string(again) != string(updated) {
			t.Errorf("%q became %q, then %q, %v", old, updated, again, err)
		}
	})
}
