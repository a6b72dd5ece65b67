package base

import (
	"strings"
	"testing"

	"vpk/internal/fault"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseRef(t *testing.T) {
	for _, test := range []struct {
		in       string
		registry bool
		pinned   bool
		unpinned string
	}{
		{"registry.example/distroless/python3:nonroot", true, false, "registry.example/distroless/python3:nonroot"},
		{"python", true, false, "python"},
		{"localhost:5000/python", true, false, "localhost:5000/python"},
		{"registry.example/python@" + someDigest, true, true, "registry.example/python"},
		{"registry.example:443/python:3.11@" + someDigest, true, true, "registry.example:443/python:3.11"},
		{"oci:dir", false, false, "oci:dir"},
		{"oci:/some/dir:tag", false, false, "oci:/some/dir:tag"},
		{"oci:dir@" + someDigest, false, true, "oci:dir"},
		{"oci:dir:tag@" + someDigest, false, true, "oci:dir:tag"},
		{"oci-archive:a.tar:tag", false, false, "oci-archive:a.tar:tag"},
		{"oci-archive:a.tar@" + someDigest, false, true, "oci-archive:a.tar"},
		{"docker-archive:a.tar:repo/name:tag", false, false, "docker-archive:a.tar:repo/name:tag"},
	} {
		r, err := ParseRef(test.in)
		if err != nil {
			t.Errorf("ParseRef(%q): %v", test.in, err)
			continue
		}
		if r.String() != test.in || r.IsRegistry() != test.registry || r.Pinned() != test.pinned || r.Unpinned().String() != test.unpinned {
			t.Errorf("ParseRef(%q) = %q, registry %v, pinned %v, unpinned %q", test.in, r, r.IsRegistry(), r.Pinned(), r.Unpinned())
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "a b", "python ", "./dir", "../dir", "/dir", "UPPER/case", "python@sha256:12", "python@sha512:" + strings.Repeat("0", 128),
		"oci:", "oci::tag", "oci-archive:", "docker-archive::", "oci:dir@sha256:xyz", "docker-archive:a.tar@" + someDigest,
		"docker://python", "https://registry.example/python", "oci-dir:/x/y", "python:a:b", "python:\n",
	} {
		r, err := ParseRef(in)
		if err == nil {
			t.Errorf("ParseRef(%q) = %q, want an error", in, r)
			continue
		}
		if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) != 1 || !strings.Contains(fault.Hints(err)[0], "docker-archive:FILE") {
			t.Errorf("ParseRef(%q): kind %d, hints %q: want a usage error that names the forms", in, fault.KindOf(err), fault.Hints(err))
		}
	}
}

func TestSplitPathAndTag(t *testing.T) {
	for _, test := range []struct {
		in, path, tag string
		exists        []string
	}{
		{"oci:dir", "dir", "", []string{"dir"}},
		{"oci:dir:tag", "dir", "tag", []string{"dir"}},
		{"oci:dir:tag", "dir:tag", "", []string{"dir", "dir:tag"}},
		{"oci:a:b:c", "a:b", "c", []string{"a", "a:b"}},
		{"oci:a:b:c", "a", "b:c", []string{"a"}},
		{"docker-archive:x.tar:repo/name:tag", "x.tar", "repo/name:tag", []string{"x.tar"}},
		{"oci:dir:", "dir", "", []string{"dir"}},
		{"oci:missing:tag", "missing", "tag", nil},
		{"oci:missing:not/a/tag", "missing:not/a/tag", "", nil},
		{"oci:missing", "missing", "", nil},
	} {
		r, err := ParseRef(test.in)
		if err != nil {
			t.Fatal(err)
		}
		path, tag := r.split(func(p string) bool {
			for _, e := range test.exists {
				if e == p {
					return true
				}
			}
			return false
		})
		if path != test.path || tag != test.tag {
			t.Errorf("%q with %q: path %q, tag %q: want %q, %q", test.in, test.exists, path, tag, test.path, test.tag)
		}
	}
}

func TestRefInDirectory(t *testing.T) {
	for in, want := range map[string]string{
		"oci:../base:tag":        "oci:/project/../base:tag",
		"oci:/abs:tag":           "oci:/abs:tag",
		"docker-archive:a.tar:x": "docker-archive:/project/a.tar:x",
		"registry.example/a:b":   "registry.example/a:b",
	} {
		r, err := ParseRef(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.In("/project").String(); got != want {
			t.Errorf("%q in /project = %q, want %q", in, got, want)
		}
	}
}

// FuzzParseRef: what is accepted is written as it was read, and reads the same again; so does its form without the digest.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"python", "registry.example/a:b@" + someDigest, "oci:dir:tag", "oci:a@b@" + someDigest, "docker-archive:x", "oci-archive:::", "a@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			if fault.KindOf(err) != fault.Usage {
				t.Fatalf("ParseRef(%q): kind %d", s, fault.KindOf(err))
			}
			return
		}
		if r.String() != s {
			t.Fatalf("ParseRef(%q).String() = %q", s, r)
		}
		if again, err := ParseRef(r.Unpinned().String()); err != nil || again != r.Unpinned() {
			t.Fatalf("ParseRef(%q) = %#v, %v: want %#v", r.Unpinned(), again, err, r.Unpinned())
		}
		path, tag := r.split(func(string) bool { return false })
		if r.scheme != "" && path != r.rest && path+":"+tag != r.rest {
			t.Fatalf("%q splits into %q and %q", r.rest, path, tag)
		}
	})
}
