package layer

import (
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	layoutFile    = "oci-layout"
	layoutVersion = `{"imageLayoutVersion":"1.0.0"}`
	indexFile     = "index.json"
	emptyIndex    = `{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`

	// refName is a manifest's name within a layout (image specification, annotations.md).
	refName = "org.opencontainers.image.ref.name"
	// containerdName is the full name that containerd, nerdctl and Docker's containerd store give an image on import.
	containerdName = "io.containerd.image.name"
)

// checkLayoutFile reads the content of an oci-layout file.
func checkLayoutFile(data []byte) error {
	var l struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("read %s: %w", layoutFile, err)
	}
	if l.Version != "1.0.0" {
		return fmt.Errorf("layout has version %q, want 1.0.0", l.Version)
	}
	return nil
}

// newIndex is the index.json of an archive with these manifests.
func newIndex(manifests ...v1.Descriptor) ([]byte, error) {
	return json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests})
}

// updateIndex puts a manifest into the index.json of a layout, in place of those that have its name; all else stays as it
// is, known to us or not. No index at all counts as an empty one.
func updateIndex(old []byte, m v1.Descriptor) ([]byte, error) {
	if len(old) == 0 {
		old = []byte(emptyIndex)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(old, &fields); err != nil {
		return nil, fmt.Errorf("read %s: %w", indexFile, err)
	}
	var version int
	if err := json.Unmarshal(fields["schemaVersion"], &version); err != nil || version != 2 {
		return nil, errors.New(indexFile + " is no image index: its schemaVersion is not 2")
	}
	var entries, kept []json.RawMessage
	if err := json.Unmarshal(fields["manifests"], &entries); err != nil {
		return nil, fmt.Errorf("read manifests of %s: %w", indexFile, err)
	}
	ours, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	placed := false
	for _, e := range entries {
		var has struct {
			Annotations map[string]string `json:"annotations"`
		}
		if err := json.Unmarshal(e, &has); err != nil {
			return nil, fmt.Errorf("read manifests of %s: %w", indexFile, err)
		}
		if has.Annotations[refName] != m.Annotations[refName] {
			kept = append(kept, e)
		} else if !placed {
			kept = append(kept, ours)
			placed = true
		}
	}
	if !placed {
		kept = append(kept, ours)
	}
	if fields["manifests"], err = json.Marshal(kept); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
