package e2e

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// imageIn is the image with a digest in a layout.
func imageIn(t testing.TB, dir, digest string) v1.Image {
	t.Helper()
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	p, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	img, err := p.Image(hash)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func configOf(t testing.TB, img v1.Image) *v1.ConfigFile {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ownLayers says from which layer on an image is of vpk, by its history.
func ownLayers(t testing.TB, img v1.Image) (from int) {
	t.Helper()
	for _, h := range configOf(t, img).History {
		if strings.HasPrefix(h.CreatedBy, "vpk: ") {
			return from
		}
		if !h.EmptyLayer {
			from++
		}
	}
	t.Fatal("no layer is of vpk")
	return 0
}

// ownHeaders are the headers of the files in the layers that vpk added.
func ownHeaders(t testing.TB, img v1.Image) []*tar.Header {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var headers []*tar.Header
	for _, l := range layers[ownLayers(t, img):] {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			headers = append(headers, h)
		}
	}
	return headers
}

// tree is what a directory holds: paths and, for each, a line that says what is there.
type tree map[string]string

func file(mode fs.FileMode, content []byte) string {
	return fmt.Sprintf("file %o %x", mode.Perm(), sha256.Sum256(content))
}

func link(target string) string { return "link " + target }

// readTree reads what is below dir, directories without their modes left out.
func readTree(t testing.TB, dir string) tree {
	t.Helper()
	found := tree{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
		switch {
		case d.IsDir():
			found[path.Join(name, ".")+"/"] = fmt.Sprintf("dir %o", info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			found[name] = link(target)
			return err
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			found[name] = file(info.Mode(), data)
			return err
		default:
			return errors.New("what is " + p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
