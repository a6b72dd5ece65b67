package layer

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/venv/tree"
)

// Artifact is what is delivered.
type Artifact struct {
	// Image is complete: its manifest and config are known without reading layers. Nil where there is an Index.
	Image v1.Image
	// Index is delivered with all its images, by registries, layouts and OCI archives alone.
	Index *Index
	// Names are the image's names, the first one first where a destination takes only one. May be empty.
	Names []name.Tag
	// Tree is what the image adds to its base, for destinations that want files.
	Tree tree.Tree
}

// Destination is a place that takes images. It may be used again, also concurrently for different artifacts.
type Destination interface {
	// Deliver delivers, whole or not at all.
	Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error)
}

// Delivered is what became of a delivery.
type Delivered struct {
	// Target is how to name what was delivered: "REPOSITORY@sha256:…", "oci:DIR:TAG", "docker-archive:FILE", "dir:DIR", or
	// the reference or ID that an engine reported.
	Target string
	// Digest of the manifest; zero where none was delivered.
	Digest v1.Hash
	// Sent are the blobs that were copied, Skipped those that were there already. Each blob counts once.
	Sent, Skipped Amount
}

// Amount counts blobs.
type Amount struct {
	Blobs int
	Bytes int64
}

func (a *Amount) add(bytes int64) {
	a.Blobs++
	a.Bytes += bytes
}

// Deliver delivers to d. Where a cached layer proves damaged on the way, the delivery is begun once more, with the layer made
// again.
func Deliver(ctx context.Context, d Destination, a Artifact, report progress.Reporter) (Delivered, error) {
	res, err := d.Deliver(ctx, a, report)
	if errors.Is(err, ErrDamaged) && ctx.Err() == nil {
		report.Detail("%v: delivering again", err)
		res, err = d.Deliver(ctx, a, report)
	}
	return res, err
}

// ParseNames reads image names as -t gives them: [REGISTRY/]NAME[:TAG], the tag "latest" by default, the registry Docker's
// as with docker itself. All that are wrong are reported at once, with kind Usage.
func ParseNames(names []string) ([]name.Tag, error) {
	var tags []name.Tag
	var problems []error
	for _, n := range names {
		tag, err := name.NewTag(n)
		if err != nil {
			problems = append(problems, fault.New(fault.Usage, "a name is [REGISTRY/]NAME[:TAG], in lower case", "image name %q: %w", n, err))
			continue
		}
		tags = append(tags, tag)
	}
	return tags, errors.Join(problems...)
}

// canonical is a name in full, with Docker's registry named as engines do.
func canonical(t name.Tag) string {
	registry := t.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = "docker.io"
	}
	return registry + "/" + t.RepositoryStr() + ":" + t.TagStr()
}
