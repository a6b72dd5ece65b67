package lockfile_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vpk/internal/testwheel"
	"vpk/lockfile/pep508"
)

// suiteWheel is one file of an index. Each holds a file "chosen/FILENAME", so that what is installed tells which it was.
type suiteWheel struct {
	name, filename, requiresPython string
	data                           []byte
}

// suiteWheels reads lines of "NAME VERSION [[BUILD@]TAGS...] [| HEADER]...". "sdist" in place of tags is a source distribution.
func suiteWheels(t *testing.T, text string) []suiteWheel {
	t.Helper()
	var wheels []suiteWheel
	for line := range strings.Lines(text) {
		parts := strings.Split(strings.TrimSpace(line), " | ")
		words := strings.Fields(parts[0])
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) < 2 {
			t.Fatalf("line %q of a list of wheels", line)
		}
		tags := words[2:]
		if len(tags) == 0 {
			tags = []string{"py3-none-any"}
		}
		for _, tag := range tags {
			if tag == "sdist" {
				wheels = append(wheels, suiteSdist(t, words[0], words[1], parts[1:]))
				continue
			}
			b := testwheel.New(words[0], words[1])
			if build, rest, ok := strings.Cut(tag, "@"); ok {
				b.Build(build)
				tag = rest
			}
			b.Tags(tag)
			w := suiteWheel{name: pep508.NormalizeName(words[0]), filename: b.Filename()}
			for _, header := range parts[1:] {
				b.Header(header)
				if python, ok := strings.CutPrefix(header, "Requires-Python: "); ok {
					w.requiresPython = python
				}
			}
			w.data = b.File("chosen/"+w.filename, "").Bytes()
			wheels = append(wheels, w)
		}
	}
	return wheels
}

// suiteSdist makes a source distribution whose metadata is static: uv locks it without building it.
func suiteSdist(t *testing.T, name, version string, headers []string) suiteWheel {
	t.Helper()
	stem := strings.ReplaceAll(pep508.NormalizeName(name), "-", "_") + "-" + version
	w := suiteWheel{name: pep508.NormalizeName(name), filename: stem + ".tar.gz"}
	var file bytes.Buffer
	zipped := gzip.NewWriter(&file)
	archive := tar.NewWriter(zipped)
	info := fmt.Sprintf("Metadata-Version: 2.2\nName: %s\nVersion: %s\n%s\n", name, version, strings.Join(append(headers, ""), "\n"))
	project := "[build-system]\nrequires = [\"no-such-backend\"]\nbuild-backend = \"no_such_backend\"\n"
	for _, f := range []struct{ name, text string }{{"PKG-INFO", info}, {"pyproject.toml", project}} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: stem + "/" + f.name, Mode: 0o644, Size: int64(len(f.text))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	w.data = file.Bytes()
	return w
}

// suiteServer serves indexes of PEP 691 (/PROJECT/INDEX/NAME/), flat pages and plain files, on loopback.
type suiteServer struct {
	*httptest.Server
	mu sync.Mutex
	// pages are by path; files by path too.
	pages map[string][]byte
	files map[string][]byte
}

func newSuiteServer(t *testing.T) *suiteServer {
	t.Helper()
	s := &suiteServer{pages: map[string][]byte{}, files: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *suiteServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	page, isPage := s.pages[r.URL.Path]
	file, isFile := s.files[r.URL.Path]
	s.mu.Unlock()
	switch {
	case isPage && strings.HasSuffix(r.URL.Path, ".html"):
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(page)
	case isPage:
		w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		_, _ = w.Write(page)
	case isFile:
		http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(file))
	default:
		http.NotFound(w, r)
	}
}

// addFiles serves wheels below a path and gives the URL of their directory.
func (s *suiteServer) addFiles(at string, wheels []suiteWheel) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wheels {
		s.files[at+"/"+w.filename] = w.data
	}
	return s.URL + at
}

// addPage serves a page of links to wheels that are served.
func (s *suiteServer) addPage(at, files string, wheels []suiteWheel) string {
	var page strings.Builder
	page.WriteString("<html><body>\n")
	for _, w := range wheels {
		fmt.Fprintf(&page, "<a href=\"%s/%s\">%s</a>\n", files, w.filename, w.filename)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[at] = []byte(page.String())
	return s.URL + at
}

// addIndex serves an index and gives its URL.
func (s *suiteServer) addIndex(t *testing.T, at string, wheels []suiteWheel) string {
	t.Helper()
	files := s.addFiles(at+"-files", wheels)
	type file struct {
		Filename       string            `json:"filename"`
		URL            string            `json:"url"`
		Hashes         map[string]string `json:"hashes"`
		RequiresPython string            `json:"requires-python,omitempty"`
		Size           int               `json:"size"`
	}
	lists := map[string][]file{}
	for _, w := range wheels {
		lists[w.name] = append(lists[w.name], file{
			Filename: w.filename, URL: files + "/" + strings.ReplaceAll(w.filename, "+", "%2B"),
			Hashes: map[string]string{"sha256": fmt.Sprintf("%x", sha256.Sum256(w.data))}, RequiresPython: w.requiresPython, Size: len(w.data),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		page, err := json.Marshal(map[string]any{"meta": map[string]string{"api-version": "1.0"}, "name": name, "files": lists[name]})
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.pages[at+"/"+name+"/"] = page
		s.mu.Unlock()
	}
	return s.URL + at
}

// writeWheels writes wheels to a directory.
func writeWheels(t *testing.T, dir string, wheels []suiteWheel) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, w := range wheels {
		if err := os.WriteFile(filepath.Join(dir, w.filename), w.data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
