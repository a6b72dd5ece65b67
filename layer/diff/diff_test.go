package diff_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"vpk/internal/fault"
	"vpk/layer/base/basetest"
	"vpk/layer/diff"
)

// member is an entry of an archive.
type member struct {
	tar.Header
	body string
}

var noon = time.Date(2024, 1, 2, 12, 0, 0, 0, time.UTC)

// members are the entries that the tests change, by name.
func members() []*member {
	file := func(name, body string) *member {
		return &member{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: noon, Size: int64(len(body)), Format: tar.FormatPAX}, body}
	}
	return []*member{
		{Header: tar.Header{Name: "app/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: noon}},
		file("app/a.py", "import os\nprint('a')\n"),
		file("app/b.py", strings.Repeat("# a line of many\n", 2000)),
		file("app/__pycache__/a.cpython-311.pyc", "\xa7\r\r\n\x03\x00\x00\x00abcdefgh"+strings.Repeat("code", 10)),
		{Header: tar.Header{Name: "app/link", Typeflag: tar.TypeSymlink, Linkname: "a.py", Mode: 0o777, ModTime: noon}},
		{Header: tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666, ModTime: noon}},
	}
}

func archive(t testing.TB, list []*member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range list {
		m.Size = int64(len(m.body))
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func config() v1.ConfigFile {
	return v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Created: v1.Time{Time: noon},
		Config: v1.Config{Env: []string{"PATH=/bin", "LANG=C"}, Labels: map[string]string{"a.b": "1"}, Cmd: []string{"/app/a.py"}},
	}
}

func plain(data []byte) v1.Layer { return static.NewLayer(data, types.OCIUncompressedLayer) }

// below is a layer that both images have.
func below(t testing.TB) v1.Layer {
	return plain(basetest.Tar(t, basetest.File{Name: "etc/"}, basetest.File{Name: "etc/passwd", Body: "root\n"}))
}

func image(t testing.TB, layers ...v1.Layer) v1.Image {
	t.Helper()
	return basetest.Image(t, config(), append([]v1.Layer{below(t)}, layers...)...)
}

func compare(t testing.TB, a, b v1.Image) *diff.Report {
	t.Helper()
	r, err := diff.Images(t.Context(), "left", a, "right", b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reversed turns a report around, so that it can be compared with that of the images in the other order.
func reversed(r *diff.Report) *diff.Report {
	r.A, r.B = r.B, r.A
	r.A.Name, r.B.Name = r.B.Name, r.A.Name
	turn := func(k *diff.Kind) {
		switch *k {
		case diff.Added:
			*k = diff.Removed
		case diff.Removed:
			*k = diff.Added
		}
	}
	fields := func(list []diff.Field) {
		for i := range list {
			list[i].A, list[i].B = list[i].B, list[i].A
		}
	}
	changes := func(list []diff.Change) {
		for i := range list {
			turn(&list[i].Kind)
			for j := range list[i].Attributes {
				a := &list[i].Attributes[j]
				a.A, a.B = a.B, a.A
			}
			if c := list[i].Content; c != nil {
				c.A, c.B = c.B, c.A
			}
		}
	}
	fields(r.Manifest)
	fields(r.Config)
	changes(r.Files)
	for i := range r.Layers {
		l := &r.Layers[i]
		l.A, l.B = l.B, l.A
		turn(&l.Kind)
		fields(l.Fields)
		changes(l.Entries)
		if l.Order != nil {
			l.Order.A, l.Order.B = l.Order.B, l.Order.A
		}
	}
	return r
}

// TestOneThing has pairs of images that differ in exactly one thing, and all of what the report must say.
func TestOneThing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(list []*member) []*member
		// entries and files are lines "KIND PATH ATTRIBUTE A B", one an attribute; content is what is said of it.
		entries, files []string
		content        string
	}{
		{"mode", func(l []*member) []*member { l[1].Mode = 0o755; return l },
			[]string{"changed app/a.py mode 0644 0755"}, []string{"changed app/a.py mode 0644 0755"}, ""},
		{"setuid", func(l []*member) []*member { l[1].Mode = 0o4644; return l },
			[]string{"changed app/a.py mode 0644 4644"}, []string{"changed app/a.py mode 0644 4644"}, ""},
		{"user", func(l []*member) []*member { l[1].Uid = 7; return l },
			[]string{"changed app/a.py owner 0:0 7:0"}, []string{"changed app/a.py owner 0:0 7:0"}, ""},
		{"group", func(l []*member) []*member { l[0].Gid = 7; return l },
			[]string{"changed app owner 0:0 0:7"}, []string{"changed app owner 0:0 0:7"}, ""},
		{"name of a user", func(l []*member) []*member { l[1].Uname = "me"; return l },
			[]string{"changed app/a.py names  me:"}, nil, ""},
		{"time", func(l []*member) []*member { l[4].ModTime = noon.Add(time.Second); return l },
			[]string{"changed app/link mtime 2024-01-02T12:00:00Z 2024-01-02T12:00:01Z"}, []string{"changed app/link mtime 2024-01-02T12:00:00Z 2024-01-02T12:00:01Z"}, ""},
		{"part of a second", func(l []*member) []*member { l[1].ModTime = noon.Add(time.Millisecond); return l },
			[]string{"changed app/a.py mtime 2024-01-02T12:00:00Z 2024-01-02T12:00:00.001Z", "changed app/a.py format USTAR PAX"}, []string{"changed app/a.py mtime 2024-01-02T12:00:00Z 2024-01-02T12:00:00.001Z"}, ""},
		{"time of access", func(l []*member) []*member { l[1].AccessTime = noon; return l },
			[]string{"changed app/a.py atime  2024-01-02T12:00:00Z", "changed app/a.py format USTAR PAX"}, nil, ""},
		{"target", func(l []*member) []*member { l[4].Linkname = "b.py"; return l },
			[]string{"changed app/link target a.py b.py"}, []string{"changed app/link target a.py b.py"}, ""},
		{"device", func(l []*member) []*member { l[5].Devminor = 5; return l },
			[]string{"changed dev/null device 1:3 1:5"}, nil, ""},
		{"extended attribute", func(l []*member) []*member {
			l[1].PAXRecords = map[string]string{"SCHILY.xattr.user.a": "b"}
			return l
		}, []string{"changed app/a.py format USTAR PAX", `changed app/a.py pax:SCHILY.xattr.user.a  "b"`}, nil, ""},
		{"format", func(l []*member) []*member { l[5].Format = tar.FormatGNU; return l },
			[]string{"changed dev/null format USTAR GNU"}, nil, ""},
		{"spelling of a name", func(l []*member) []*member { l[1].Name = "./app/a.py"; return l },
			[]string{"changed app/a.py name app/a.py ./app/a.py"}, nil, ""},
		{"kind", func(l []*member) []*member {
			l[5].Typeflag, l[5].Devmajor, l[5].Devminor = tar.TypeFifo, 0, 0
			return l
		},
			[]string{"changed dev/null kind character device fifo", "changed dev/null device 1:3 "}, []string{"changed dev/null kind character device fifo"}, ""},
		{"text", func(l []*member) []*member { l[1].body = "import os\nprint('b')\n"; return l },
			[]string{"changed app/a.py content"}, []string{"changed app/a.py content"}, `17 text  2 "print('a')" "print('b')"`},
		{"text, far down", func(l []*member) []*member {
			l[2].body = l[2].body[:20000] + "!" + l[2].body[20001:]
			return l
		}, []string{"changed app/b.py content"}, []string{"changed app/b.py content"}, `20000 text  1177 "# a line of many" "# a line!of many"`},
		{"a longer file", func(l []*member) []*member { l[1].body += "#"; return l },
			[]string{"changed app/a.py size 21 22", "changed app/a.py content"}, []string{"changed app/a.py size 21 22", "changed app/a.py content"}, `21 text  3 "" "#"`},
		{"an empty file", func(l []*member) []*member { l[1].body = ""; return l },
			[]string{"changed app/a.py size 21 0", "changed app/a.py content"}, []string{"changed app/a.py size 21 0", "changed app/a.py content"}, `0 text  1 "import os" ""`},
		{"bytecode", func(l []*member) []*member { l[3].body = l[3].body[:20] + "X" + l[3].body[21:]; return l },
			[]string{"changed app/__pycache__/a.cpython-311.pyc content"}, []string{"changed app/__pycache__/a.cpython-311.pyc content"},
			`20 bytecode code 0 "636f6465636f6465636f6465636f6465" "586f6465636f6465636f6465636f6465"`},
		{"bytecode of another source", func(l []*member) []*member { l[3].body = l[3].body[:9] + "X" + l[3].body[10:]; return l },
			[]string{"changed app/__pycache__/a.cpython-311.pyc content"}, []string{"changed app/__pycache__/a.cpython-311.pyc content"},
			`9 bytecode source hash 0 "62636465666768636f6465636f646563" "58636465666768636f6465636f646563"`},
		{"a new entry", func(l []*member) []*member {
			return append(l, &member{tar.Header{Name: "app/new", Typeflag: tar.TypeSymlink, Linkname: "x", Mode: 0o777, ModTime: noon}, ""})
		}, []string{"added app/new kind  link", "added app/new name  app/new", "added app/new mode  0777", "added app/new owner  0:0", "added app/new mtime  2024-01-02T12:00:00Z", "added app/new target  x", "added app/new format  USTAR"},
			[]string{"added app/new kind  link", "added app/new mode  0777", "added app/new owner  0:0", "added app/new mtime  2024-01-02T12:00:00Z", "added app/new target  x"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := image(t, plain(archive(t, members()))), image(t, plain(archive(t, tt.change(members()))))
			r := compare(t, a, b)
			if r.Equal || len(r.Manifest)+len(r.Config) != 0 || len(r.Layers) != 1 || r.Layers[0].Order != nil || r.Layers[0].Bytes != nil || len(r.Layers[0].Fields) != 0 {
				t.Fatalf("report %s", text(t, r))
			}
			lines := func(list []diff.Change) (lines []string) {
				for _, c := range list {
					for _, a := range c.Attributes {
						line := fmt.Sprintf("%s %s %s %s %s", c.Kind, c.Path, a.Name, a.A, a.B)
						if a.Name == "content" {
							line = fmt.Sprintf("%s %s content", c.Kind, c.Path)
						}
						lines = append(lines, line)
					}
				}
				return lines
			}
			if d := cmp.Diff(tt.entries, lines(r.Layers[0].Entries)); d != "" {
				t.Errorf("entries (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.files, lines(r.Files)); d != "" {
				t.Errorf("files (-want +got):\n%s", d)
			}
			content := ""
			if c := r.Layers[0].Entries[0].Content; c != nil {
				content = fmt.Sprintf("%d %s %s %d %q %q", c.Offset, c.Form, c.Where, c.Line, c.A, c.B)
			}
			if content != tt.content {
				t.Errorf("content %s\n   want %s", content, tt.content)
			}
			if d := cmp.Diff(r, reversed(compare(t, b, a))); d != "" {
				t.Errorf("the other way round (-this +other):\n%s", d)
			}
			if same := compare(t, a, image(t, plain(archive(t, members())))); !same.Equal || text(t, same) != "" {
				t.Errorf("equal images: %s", text(t, same))
			}
		})
	}
}

func text(t testing.TB, r *diff.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOrderOfEntries(t *testing.T) {
	list := members()
	list[1], list[2] = list[2], list[1]
	r := compare(t, image(t, plain(archive(t, members()))), image(t, plain(archive(t, list))))
	if len(r.Layers) != 1 || len(r.Layers[0].Entries) != 0 || len(r.Files) != 0 {
		t.Fatal(text(t, r))
	}
	if d := cmp.Diff(&diff.Order{A: "app/a.py", B: "app/b.py"}, r.Layers[0].Order); d != "" {
		t.Error(d)
	}
}

func TestEntryThatComesTwice(t *testing.T) {
	list := append(members(), members()[1])
	list[6].Mode = 0o600
	r := compare(t, image(t, plain(archive(t, members()))), image(t, plain(archive(t, list))))
	if len(r.Layers) != 1 || len(r.Layers[0].Entries) != 1 || r.Layers[0].Entries[0].Kind != diff.Added || len(r.Files) != 1 || r.Files[0].Kind != diff.Changed {
		t.Error(text(t, r))
	}
}

// What no field of an entry says: padding after the archive's end, another compressor.
func TestBytesAlone(t *testing.T) {
	data := archive(t, members())
	r := compare(t, image(t, plain(data)), image(t, plain(append(bytes.Clone(data), make([]byte, 512)...))))
	want := &diff.Bytes{Of: "archive", Offset: int64(len(data))}
	if len(r.Layers) != 1 || !cmp.Equal(r.Layers[0].Bytes, want) || len(r.Files) != 0 {
		t.Errorf("padding: %s", text(t, r))
	}

	r = compare(t, image(t, basetest.Layer(t, data, types.OCILayer)), image(t, basetest.Layer(t, data, types.OCILayerZStd)))
	if len(r.Layers) != 1 || !cmp.Equal(r.Layers[0].Bytes, &diff.Bytes{Of: "blob", Offset: 0}) || len(r.Layers[0].Entries)+len(r.Files) != 0 {
		t.Errorf("compression: %s", text(t, r))
	}
	if f := r.Layers[0].Fields; len(f) != 1 || f[0].Path != "mediaType" {
		t.Errorf("fields %v", f)
	}
}

func TestLayers(t *testing.T) {
	one := func(name string) v1.Layer {
		return plain(basetest.Tar(t, basetest.File{Name: name, Body: name}))
	}
	a := image(t, one("x"), one("y"), one("z"))
	b := image(t, one("new"), one("x"), one("changed"), one("z"))
	r := compare(t, a, b)
	var got []string
	for _, l := range r.Layers {
		line := string(l.Kind)
		for _, s := range []*diff.LayerSide{l.A, l.B} {
			if s != nil {
				line += fmt.Sprint(" ", s.Number)
			}
		}
		got = append(got, line)
	}
	if d := cmp.Diff([]string{"added 2", "changed 3 4"}, got); d != "" {
		t.Error(d)
	}
	if len(r.Files) != 3 {
		t.Error(text(t, r))
	}
}

// The history's lines pair layers that have nothing else in common.
func TestHistoryPairsLayers(t *testing.T) {
	with := func(names ...string) v1.Image {
		img := image(t)
		for _, name := range names {
			by, body, _ := strings.Cut(name, "=")
			var err error
			img, err = mutate.Append(img, mutate.Addendum{Layer: plain(basetest.Tar(t, basetest.File{Name: by, Body: body})), History: v1.History{CreatedBy: by}})
			if err != nil {
				t.Fatal(err)
			}
		}
		return img
	}
	r := compare(t, with("deps=1", "app=1"), with("stdlib=1", "deps=2", "app=1"))
	if len(r.Layers) != 2 || r.Layers[0].Kind != diff.Added || r.Layers[1].Kind != diff.Changed || r.Layers[1].A.CreatedBy != "deps" || r.Layers[1].B.CreatedBy != "deps" {
		t.Error(text(t, r))
	}
}

func TestDocuments(t *testing.T) {
	layer := plain(archive(t, members()))
	start := image(t, layer)
	configured := func(change func(c *v1.ConfigFile)) v1.Image {
		c := config()
		change(&c)
		return basetest.Image(t, c, below(t), layer)
	}
	for _, tt := range []struct {
		name             string
		img              v1.Image
		manifest, config []string
	}{
		{"annotation", mutate.Annotations(start, map[string]string{"x.y": "z"}).(v1.Image), []string{`annotations  {"x.y":"z"}`}, nil},
		{"media type", mutate.MediaType(start, types.DockerManifestSchema2),
			[]string{`mediaType "application/vnd.oci.image.manifest.v1+json" "application/vnd.docker.distribution.manifest.v2+json"`}, nil},
		{"type of the config", mutate.ConfigMediaType(start, types.DockerConfigJSON),
			[]string{`config.mediaType "application/vnd.oci.image.config.v1+json" "application/vnd.docker.container.image.v1+json"`}, nil},
		{"label", configured(func(c *v1.ConfigFile) { c.Config.Labels["a.b"] = "<2>" }), nil, []string{`config.Labels["a.b"] "1" "<2>"`}},
		{"command", configured(func(c *v1.ConfigFile) { c.Config.Cmd = append(c.Config.Cmd, "x") }), nil, []string{`config.Cmd[1]  "x"`}},
		{"created", configured(func(c *v1.ConfigFile) { c.Created.Time = noon.Add(time.Hour) }), nil, []string{`created "2024-01-02T12:00:00Z" "2024-01-02T13:00:00Z"`}},
		{"environment", configured(func(c *v1.ConfigFile) { c.Config.Env = []string{"NEW=1", "PATH=/bin", "LANG=D"} }), nil,
			[]string{`config.Env[LANG] "C" "D"`, `config.Env[NEW]  "1"`}},
		{"order of the environment", configured(func(c *v1.ConfigFile) { c.Config.Env = []string{"LANG=C", "PATH=/bin"} }), nil,
			[]string{`config.Env(order) ["PATH","LANG"] ["LANG","PATH"]`}},
		{"environment with a name twice", configured(func(c *v1.ConfigFile) { c.Config.Env = append(c.Config.Env, "PATH=/bin") }), nil,
			[]string{`config.Env[2]  "PATH=/bin"`}},
		{"history", configured(func(c *v1.ConfigFile) { c.History = []v1.History{{Comment: "c", EmptyLayer: true}} }), nil,
			[]string{`history[0]  {"comment":"c","created":"0001-01-01T00:00:00Z","empty_layer":true}`}},
		{"spelling of the config", spelt{start, func(raw []byte) []byte { return append(raw, ' ') }, nil}, nil, []string{"(spelling)"}},
		{"spelling of the manifest", spelt{start, nil, func(raw []byte) []byte { return append(raw, '\n') }}, []string{"(spelling)"}, nil},
		{"field nobody knows", spelt{start, func(raw []byte) []byte { return bytes.Replace(raw, []byte("{"), []byte(`{"x":[1.0,{}],`), 1) }, nil}, nil, []string{`x  [1.0,{}]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := compare(t, start, tt.img)
			lines := func(list []diff.Field) (lines []string) {
				for _, f := range list {
					line := fmt.Sprintf("%s %s %s", f.Path, f.A, f.B)
					if f.Path == "(spelling)" {
						line = f.Path
					}
					lines = append(lines, line)
				}
				return lines
			}
			if d := cmp.Diff(tt.manifest, lines(r.Manifest)); d != "" {
				t.Errorf("manifest (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.config, lines(r.Config)); d != "" {
				t.Errorf("config (-want +got):\n%s", d)
			}
			if r.Equal || len(r.Layers)+len(r.Files) > 0 {
				t.Errorf("report %s", text(t, r))
			}
			if d := cmp.Diff(r, reversed(compare(t, tt.img, start))); d != "" {
				t.Errorf("the other way round (-this +other):\n%s", d)
			}
		})
	}
}

// spelt is an image whose documents are written differently.
type spelt struct {
	v1.Image
	config, manifest func(raw []byte) []byte
}

func (s spelt) RawConfigFile() ([]byte, error) {
	raw, err := s.Image.RawConfigFile()
	if s.config != nil {
		raw = s.config(bytes.Clone(raw))
	}
	return raw, err
}

func (s spelt) RawManifest() ([]byte, error) {
	raw, err := s.Image.RawManifest()
	if err != nil || s.config == nil && s.manifest == nil {
		return raw, err
	}
	if s.manifest != nil {
		return s.manifest(bytes.Clone(raw)), nil
	}
	config, err := s.RawConfigFile()
	var m v1.Manifest
	if err := errors.Join(err, json.Unmarshal(raw, &m)); err != nil {
		return nil, err
	}
	m.Config.Digest, m.Config.Size = v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(config))}, int64(len(config))
	return json.Marshal(m)
}

// A layer that is not what its digest promises is no ground for a comparison.
func TestDamagedImage(t *testing.T) {
	good := plain(archive(t, members()))
	bad := lying{good, archive(t, members()[:2])}
	_, err := diff.Images(t.Context(), "left", image(t, plain(archive(t, members()[:3]))), "right", image(t, bad))
	if fault.KindOf(err) != fault.Integrity || !strings.Contains(err.Error(), "right") {
		t.Errorf("error %v", err)
	}
}

type lying struct {
	v1.Layer
	data []byte
}

func (l lying) Compressed() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.data)), nil }

// Names and contents from an image do not reach the terminal as they are.
func TestTextHasNoControlCharacters(t *testing.T) {
	a, b := members(), members()
	b[1].Name, b[1].body = "app/\x1b]0;owned\a.py", "\x1b[2J"
	b[4].Linkname = "a\nb"
	got := text(t, compare(t, image(t, plain(archive(t, a))), image(t, plain(archive(t, b)))))
	if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\n' }) || !strings.Contains(got, `"app/\x1b]0;owned\a.py"`) {
		t.Errorf("%q", got)
	}
}

func TestJSONHasNoNullLists(t *testing.T) {
	for _, r := range []*diff.Report{
		compare(t, image(t), image(t)),
		compare(t, image(t), image(t, plain(archive(t, members())))),
		compare(t, image(t, plain(archive(t, members()[:2]))), image(t, plain(archive(t, members())))),
	} {
		data, err := json.Marshal(r)
		if err != nil || bytes.Contains(data, []byte(":null")) {
			t.Errorf("%s, %v", data, err)
		}
	}
}
