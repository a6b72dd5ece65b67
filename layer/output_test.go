package layer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/fault"
	"vpk/layer"
)

func TestParseOutput(t *testing.T) {
	for s, want := range map[string]layer.Output{
		"oci:image":                {Form: layer.FormLayout, Path: "image"},
		"oci:image:v1":             {Form: layer.FormLayout, Path: "image", Tag: "v1"},
		"oci:/a:b/image":           {Form: layer.FormLayout, Path: "/a:b/image"},
		"oci:/a:b/image:v1":        {Form: layer.FormLayout, Path: "/a:b/image", Tag: "v1"},
		"oci-archive:a.tar":        {Form: layer.FormOCIArchive, Path: "a.tar"},
		"docker-archive:/x/a.tar":  {Form: layer.FormDockerArchive, Path: "/x/a.tar"},
		"docker-archive:x:y/a.tar": {Form: layer.FormDockerArchive, Path: "x:y/a.tar"},
		"dir:out":                  {Form: layer.FormDirectory, Path: "out"},
		"dir:a:b":                  {Form: layer.FormDirectory, Path: "a:b"},
	} {
		got, err := layer.ParseOutput(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q -want +got:\n%s", s, diff)
		}
		if got.String() != s {
			t.Errorf("%q prints as %q", s, got)
		}
	}
	for _, s := range []string{
		"", "image", "out.tar", ":", "oci:", "oci::v1", "oci-archive:", "docker-archive:", "dir:", "docker:x", "OCI:x", "tar:x",
		"docker-archive:a.tar:app:v1", "oci-archive:dir/", "dir:a\x00b",
	} {
		_, err := layer.ParseOutput(s)
		if fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: kind %d, %v", s, fault.KindOf(err), err)
			continue
		}
		for _, form := range []string{"oci:DIR[:TAG]", "oci-archive:FILE", "docker-archive:FILE", "dir:DIR"} {
			if !strings.Contains(strings.Join(fault.Hints(err), ""), form) {
				t.Errorf("%q: the hint does not name %s", s, form)
			}
		}
	}
}

func TestOutputDestination(t *testing.T) {
	for s, want := range map[string]layer.Destination{
		"oci:image:v1":         layer.Layout{Dir: "image", Tag: "v1"},
		"oci-archive:a.tar":    layer.OCIArchive{File: "a.tar"},
		"docker-archive:a.tar": layer.DockerArchive{File: "a.tar"},
		"dir:out":              layer.Directory{Dir: "out", ModTime: time.Unix(5, 0)},
	} {
		o, err := layer.ParseOutput(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, o.Destination(time.Unix(5, 0))); diff != "" {
			t.Errorf("%q -want +got:\n%s", s, diff)
		}
	}
}

// FuzzParseOutput: what is accepted is complete and prints as something that means the same.
func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"oci:a:b", "oci:a:b:c", "oci-archive:x/y.tar", "docker-archive:a:b/c", "dir:.", "oci:", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := layer.ParseOutput(s)
		if err != nil {
			if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) == 0 {
				t.Errorf("kind %d, %v", fault.KindOf(err), err)
			}
			return
		}
		if o.Path == "" || o.Tag != "" && o.Form != layer.FormLayout {
			t.Errorf("%q gives %+v", s, o)
		}
		again, err := layer.ParseOutput(o.String())
		if err != nil || again != o || o.String() != s {
			t.Errorf("%q gives %+v, which gives %+v, %v", s, o, again, err)
		}
	})
}
