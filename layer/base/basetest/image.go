package basetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/wheel/tag"
)

// File is an entry of a layer's archive. The zero mode is 0755 for directories and 0644 for anything else; the time is
// 2024-01-02 03:04:05 UTC unless given.
type File struct {
	Name    string
	Type    byte   // of archive/tar; a regular file when zero, a symbolic link when only Link is set, a directory for NAME/
	Body    string // of a regular file
	Link    string // the target
	Mode    int64
	UID     int
	GID     int
	ModTime time.Time
}

// Tar is an archive of files, in their order.
func Tar(tb testing.TB, files ...File) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Typeflag: f.Type, Linkname: f.Link, Mode: f.Mode, Uid: f.UID, Gid: f.GID, ModTime: f.ModTime}
		if h.Typeflag == 0 {
			switch {
			case f.Link != "":
				h.Typeflag = tar.TypeSymlink
			case strings.HasSuffix(f.Name, "/"):
				h.Typeflag = tar.TypeDir
			default:
				h.Typeflag = tar.TypeReg
			}
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(f.Body))
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatalf("write %q: %v", f.Name, err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, f.Body); err != nil {
				tb.Fatalf("write %q: %v", f.Name, err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// Layer is a layer of an archive, compressed or (types.OCIUncompressedLayer) not, as its media type says.
func Layer(tb testing.TB, archive []byte, mediaType types.MediaType) v1.Layer {
	tb.Helper()
	if mediaType == types.OCIUncompressedLayer {
		return static.NewLayer(archive, mediaType)
	}
	options := []tarball.LayerOption{tarball.WithMediaType(mediaType)}
	if mediaType == types.OCILayerZStd {
		options = append(options, tarball.WithCompression(compression.ZStd))
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, options...)
	if err != nil {
		tb.Fatal(err)
	}
	return layer
}

// Image is an OCI image of layers. The config's DiffIDs and history are made to fit.
func Image(tb testing.TB, config v1.ConfigFile, layers ...v1.Layer) v1.Image {
	tb.Helper()
	config.RootFS = v1.RootFS{Type: "layers"}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &config)
	if err == nil {
		img, err = mutate.AppendLayers(img, layers...)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// Index is an OCI index of images, each under the platform of its config.
func Index(tb testing.TB, images ...v1.Image) v1.ImageIndex {
	tb.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			tb.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	return index
}

// Python is the base of a target: its config and the files of its root, shaped like the distroless image on Debian 12.
func Python(target tag.Target) (v1.ConfigFile, []File) {
	return python(target, "")
}

// MergedPython is the same with a merged /usr, as on Debian 13: /bin, /lib, /lib64 and /sbin are links.
func MergedPython(target tag.Target) (v1.ConfigFile, []File) {
	return python(target, "usr/")
}

func python(target tag.Target, usr string) (v1.ConfigFile, []File) {
	short := target.Python.Short()
	triplet := string(target.Arch) + "-linux-gnu"
	loader, interp := "ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"
	if target.Arch == tag.AArch64 {
		loader, interp = "ld-linux-aarch64.so.1", "/lib/ld-linux-aarch64.so.1"
	}
	machine := Machine(target.Arch)
	versions := []string{"libc.so.6", "GLIBC_PRIVATE", "GLIBC_2.17", fmt.Sprintf("GLIBC_%s", target.Glibc), "GLIBC_2.9"}
	program := ELF{Machine: machine, Interp: interp, Needed: []string{"libm.so.6", "libc.so.6"}, Strings: []string{"3.2.0", target.Python.String(), "strict"}}
	libs := usr + "lib/" + triplet + "/"
	stdlib := "usr/lib/python" + short + "/"
	var files []File
	if usr == "" {
		files = append(files, File{Name: "bin/"}, File{Name: "lib/"})
	} else {
		for _, dir := range []string{"bin", "lib", "lib64", "sbin"} {
			files = append(files, File{Name: dir, Link: "usr/" + dir})
		}
	}
	files = append(files,
		File{Name: "etc/"}, File{Name: "etc/passwd", Body: "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"},
		File{Name: "home/nonroot/", Mode: 0o700, UID: 65532, GID: 65532},
		File{Name: "tmp/", Mode: 0o1777},
		File{Name: "usr/"}, File{Name: "usr/bin/"}, File{Name: "usr/lib/"},
		File{Name: libs},
		File{Name: libs + loader, Mode: 0o755, Body: string(ELF{Machine: machine, Soname: loader, Versions: []string{"GLIBC_2.3"}}.Bytes())},
		File{Name: libs + "libc.so.6", Mode: 0o755, Body: string(ELF{Machine: machine, Soname: "libc.so.6", Needed: []string{loader}, Versions: versions}.Bytes())},
		File{Name: libs + "libm.so.6", Body: string(ELF{Machine: machine, Soname: "libm.so.6", Needed: []string{"libc.so.6"}}.Bytes())},
		File{Name: usr + strings.TrimPrefix(interp, "/"), Link: "/" + libs + loader},
		File{Name: "usr/bin/python" + short, Mode: 0o755, Body: string(program.Bytes())},
		File{Name: "usr/bin/python3", Link: "/usr/bin/python" + short},
		File{Name: "usr/bin/python", Link: "/usr/bin/python" + short},
		File{Name: stdlib}, File{Name: stdlib + "os.py", Body: "# os\n"},
		File{Name: stdlib + "json/"}, File{Name: stdlib + "json/__init__.py", Body: "# json\n"},
		File{Name: stdlib + "lib-dynload/"},
		File{Name: stdlib + "lib-dynload/_json.so", Body: string(ELF{Machine: machine, Needed: []string{"libc.so.6"}}.Bytes())},
	)
	config := v1.ConfigFile{
		OS: "linux", Architecture: target.Arch.OCI(),
		Config: v1.Config{
			Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
			User:       "65532",
			WorkingDir: "/home/nonroot",
			Entrypoint: []string{"/usr/bin/python" + short},
		},
	}
	return config, files
}

// PythonImage is Python as an image of one gzip layer.
func PythonImage(tb testing.TB, target tag.Target) v1.Image {
	tb.Helper()
	config, files := Python(target)
	return Image(tb, config, Layer(tb, Tar(tb, files...), types.OCILayer))
}
