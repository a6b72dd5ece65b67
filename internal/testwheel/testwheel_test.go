package testwheel

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuilderMakesAWheel(t *testing.T) {
	b := New("My-Pkg", "1.0+cpu").Build("2").Tags("cp310.cp311-abi3-manylinux_2_17_x86_64").
		File("my_pkg/__init__.py", "x = 1\n").
		Executable("my_pkg/tool", "#!/bin/sh\n").
		Stored("my_pkg/data", "data").
		Symlink("my_pkg/link", "data").
		Data("scripts", "run", "#!python\n").
		EntryPoint("run-it", "my_pkg:main").
		GUIEntryPoint("win", "my_pkg:gui").
		Requires("idna>=3").
		WrongRecordHash("my_pkg/data")
	if got, want := b.Filename(), "My_Pkg-1.0+cpu-2-cp310.cp311-abi3-manylinux_2_17_x86_64.whl"; got != want {
		t.Errorf("Filename = %q, want %q", got, want)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(len(b.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	modes := map[string]fs.FileMode{}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		got[f.Name], modes[f.Name] = string(data), f.Mode()
	}
	record := got["My_Pkg-1.0+cpu.dist-info/RECORD"]
	delete(got, "My_Pkg-1.0+cpu.dist-info/RECORD")
	want := map[string]string{
		"my_pkg/__init__.py":                "x = 1\n",
		"my_pkg/tool":                       "#!/bin/sh\n",
		"my_pkg/data":                       "data",
		"my_pkg/link":                       "data",
		"My_Pkg-1.0+cpu.data/scripts/run":   "#!python\n",
		"My_Pkg-1.0+cpu.dist-info/METADATA": "Metadata-Version: 2.1\nName: My-Pkg\nVersion: 1.0+cpu\nRequires-Dist: idna>=3\n",
		"My_Pkg-1.0+cpu.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: testwheel\nRoot-Is-Purelib: false\n" +
			"Tag: cp310-abi3-manylinux_2_17_x86_64\nTag: cp311-abi3-manylinux_2_17_x86_64\n",
		"My_Pkg-1.0+cpu.dist-info/entry_points.txt": "[console_scripts]\nrun-it = my_pkg:main\n[gui_scripts]\nwin = my_pkg:gui\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"my_pkg/tool", "my_pkg/__init__.py", "my_pkg/data"} {
		sum := sha256.Sum256([]byte(want[name]))
		row := name + ",sha256=" + base64.RawURLEncoding.EncodeToString(sum[:])
		if right := strings.Contains(record, row); right != (name != "my_pkg/data") {
			t.Errorf("RECORD has the true row of %s: %t", name, right)
		}
	}
	if modes["my_pkg/tool"] != 0o755 || modes["my_pkg/data"] != 0o644 || modes["my_pkg/link"]&fs.ModeSymlink == 0 {
		t.Errorf("modes = %v", modes)
	}
	if !bytes.Equal(b.Bytes(), b.Bytes()) {
		t.Error("two calls of Bytes differ")
	}
}

func TestServerMisbehavesAsTold(t *testing.T) {
	s := NewServer(t)
	body := bytes.Repeat([]byte("0123456789"), 1000)
	url := s.Add("x.whl", body)
	get := func(header string) (int, []byte, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Range", header)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		data, err := io.ReadAll(resp.Body)
		return resp.StatusCode, data, err
	}
	if code, data, err := get(""); code != 200 || !bytes.Equal(data, body) || err != nil {
		t.Errorf("whole: %d, %d bytes, %v", code, len(data), err)
	}
	if code, data, err := get("bytes=9990-"); code != 206 || !bytes.Equal(data, body[9990:]) || err != nil {
		t.Errorf("range: %d, %d bytes, %v", code, len(data), err)
	}
	s.Spoil("x.whl", Fault{Truncate: 1500})
	if _, data, err := get(""); len(data) != 1500 || err == nil {
		t.Errorf("truncated: %d bytes, %v", len(data), err)
	}
	s.Spoil("x.whl", Fault{Status: 503, Times: 4})
	if code, _, _ := get(""); code != 503 {
		t.Errorf("spoiled: %d", code)
	}
	if code, _, _ := get(""); code != 200 {
		t.Errorf("after Times: %d", code)
	}
	s.Spoil("x.whl", Fault{NoRange: true, Wrong: []byte("wrong")})
	if code, data, _ := get("bytes=1-"); code != 200 || string(data) != "wrong" {
		t.Errorf("no range: %d %q", code, data)
	}
	if n := len(s.Requests("x.whl")); n != 6 {
		t.Errorf("%d requests were counted", n)
	}
}
