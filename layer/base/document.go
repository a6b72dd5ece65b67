package base

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// document is a manifest or an index, told apart by what is in it: registries and layouts disagree about media types.
type document struct {
	raw      []byte
	digest   v1.Hash // zero for a layout's own list of images
	manifest *v1.Manifest
	index    *v1.IndexManifest
}

// digestOf is the SHA-256 of bytes as the OCI writes it.
func digestOf(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// readDocument reads a document of at most MaxDocument bytes. Its digest must be want, unless that is zero.
func readDocument(r io.Reader, want v1.Hash) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", want, err)
	}
	if len(raw) > MaxDocument {
		return nil, broken("%s is larger than %d bytes", want, MaxDocument)
	}
	if got := digestOf(raw); want != (v1.Hash{}) && got != want {
		return nil, fmt.Errorf("%s is %w: its bytes have digest %s", want, errDamaged, got)
	}
	return raw, nil
}

// parseDocument tells a manifest from an index and reads it. A document that could be taken for both is refused
// (CVE-2021-41190), as is Docker's schema 1.
func parseDocument(raw []byte) (document, error) {
	var shape struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
		Config        json.RawMessage   `json:"config"`
		Layers        []json.RawMessage `json:"layers"`
		FSLayers      []json.RawMessage `json:"fsLayers"`
	}
	doc := document{raw: raw, digest: digestOf(raw)}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return document{}, broken("read manifest: %w", err)
	}
	isIndex, isManifest := shape.Manifests != nil, shape.Config != nil || shape.Layers != nil
	var err error
	switch {
	case shape.FSLayers != nil:
		return document{}, broken("it is a manifest of Docker's schema 1, which nothing serves any more: push the image again")
	case isIndex == isManifest, isIndex && shape.MediaType.IsImage(), isManifest && shape.MediaType.IsIndex():
		return document{}, broken("%s is neither a manifest nor an index (mediaType %q)", doc.digest, shape.MediaType)
	case isIndex:
		doc.index, err = v1.ParseIndexManifest(bytes.NewReader(raw))
	default:
		doc.manifest, err = v1.ParseManifest(bytes.NewReader(raw))
	}
	if err != nil {
		return document{}, broken("read manifest %s: %w", doc.digest, err)
	}
	return doc, nil
}

// isImageConfig tells the config of an image from that of an artifact.
func isImageConfig(t types.MediaType) bool {
	return t == types.OCIConfigJSON || t == types.DockerConfigJSON
}

// checkManifest proves that a manifest is of an image that can be read.
func checkManifest(doc document) error {
	m := doc.manifest
	if !isImageConfig(m.Config.MediaType) {
		return broken("%s is not an image: its config is %q", doc.digest, m.Config.MediaType)
	}
	if len(m.Layers) == 0 || len(m.Layers) > MaxLayers {
		return broken("%s has %d layers: want 1 to %d", doc.digest, len(m.Layers), MaxLayers)
	}
	size := int64(0)
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		// One by one, so that the sum can't overflow.
		if size += min(d.Size, MaxSize+1); size > MaxSize {
			return broken("%s is larger than %d GiB", doc.digest, MaxSize>>30)
		}
		if d.Digest.Algorithm != "sha256" || d.Size < 0 {
			return broken("%s names a blob of digest %q and size %d: want sha256 and a size", doc.digest, d.Digest, d.Size)
		}
	}
	for i, d := range m.Layers {
		switch d.MediaType {
		case types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer, types.OCIRestrictedLayer, types.OCIUncompressedRestrictedLayer,
			types.DockerLayer, types.DockerForeignLayer, types.DockerUncompressedLayer:
		default:
			return broken("layer %d of %s is %q, which is not a layer that can be unpacked", i+1, doc.digest, d.MediaType)
		}
	}
	return nil
}

// readConfig reads the config of a manifest.
func readConfig(raw []byte, m *v1.Manifest) (*v1.ConfigFile, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, broken("read config %s: %w", m.Config.Digest, err)
	}
	if len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, broken("config %s has %d DiffIDs for %d layers", m.Config.Digest, len(config.RootFS.DiffIDs), len(m.Layers))
	}
	return config, nil
}
