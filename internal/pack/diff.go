package pack

import (
	"context"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/layer/base"
	"vpk/layer/diff"
)

// Diff compares two images of one platform. A word is a reference as Run takes it, one of a registry, or the directory of a layout.
func Diff(ctx context.Context, s *Sources, a, b, arch string) (*diff.Report, error) {
	left, err := s.image(ctx, a, arch)
	if err != nil {
		return nil, err
	}
	right, err := s.image(ctx, b, arch)
	if err != nil {
		return nil, err
	}
	return diff.Images(ctx, a, left, b, right)
}

// image opens an image that a word names, whatever it is an image of.
func (s *Sources) image(ctx context.Context, word, arch string) (v1.Image, error) {
	if _, err := os.Stat(filepath.Join(word, "oci-layout")); err == nil {
		word = "oci:" + word
	}
	ref, err := base.ParseRef(word)
	if err != nil {
		return nil, err
	}
	return base.Load(ctx, ref, s.baseOptions(arch))
}
