package layer

import (
	"encoding/json"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/cas"
)

// pushedKind is what was pushed where: the digest of the manifest that a repository got last; the blobs that a manifest names; and of each
// layer of ours and each registry, the repository that got it last. It says where to look; what is still there, only the registry knows.
var pushedKind = cas.Kind{Name: "pushed", Version: 1}

// pushed is what is remembered of pushes. Without a cache it remembers nothing.
type pushed struct{ cache *cas.Store }

func blobsKey(manifest v1.Hash) string { return cas.Key("blobs", manifest.String()) }

func manifestKey(repo name.Repository) string { return cas.Key("manifest", repo.String()) }

func layerKey(registry name.Registry, digest v1.Hash) string {
	return cas.Key("layer", registry.String(), digest.String())
}

func (p pushed) read(key string) string {
	if p.cache == nil {
		return ""
	}
	data, err := p.cache.Record(pushedKind, key)
	if err != nil {
		return ""
	}
	return string(data)
}

// last is the manifest that a repository got last.
func (p pushed) last(repo name.Repository) (name.Digest, bool) {
	digest, err := v1.NewHash(p.read(manifestKey(repo)))
	return repo.Digest(digest.String()), err == nil
}

// source is another repository of the same registry that has a layer.
func (p pushed) source(repo name.Repository, digest v1.Hash) (name.Digest, bool) {
	from := p.read(layerKey(repo.Registry, digest))
	if from == "" || from == repo.RepositoryStr() {
		return name.Digest{}, false
	}
	return repo.Registry.Repo(from).Digest(digest.String()), true
}

// blobs are those that a manifest names, or the images of an index; nil where it was not pushed from here.
func (p pushed) blobs(manifest v1.Hash) map[v1.Hash]bool {
	var list []v1.Hash
	if json.Unmarshal([]byte(p.read(blobsKey(manifest))), &list) != nil {
		return nil
	}
	blobs := map[v1.Hash]bool{}
	for _, digest := range list {
		blobs[digest] = true
	}
	return blobs
}

// remember notes what a repository has now.
func (p pushed) remember(repo name.Repository, what pieces) error {
	if p.cache == nil {
		return nil
	}
	put := func(key, value string) error {
		if p.read(key) == value {
			return nil
		}
		return p.cache.PutRecord(pushedKind, key, []byte(value))
	}
	var all []v1.Hash
	for _, b := range what.blobs {
		if !b.desc.MediaType.IsImage() && !b.desc.MediaType.IsIndex() {
			all = append(all, b.desc.Digest)
		}
		if _, own := b.layer.(*Layer); own {
			if err := put(layerKey(repo.Registry, b.desc.Digest), repo.RepositoryStr()); err != nil {
				return err
			}
		}
	}
	list, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := put(blobsKey(what.manifest.Digest), string(list)); err != nil {
		return err
	}
	return put(manifestKey(repo), what.manifest.Digest.String())
}
