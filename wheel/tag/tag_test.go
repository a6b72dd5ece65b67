package tag_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
	"vpk/wheel/tag"
)

var bookworm = tag.Target{Python: tag.Python{Major: 3, Minor: 11}, Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 36}}

func parse(t testing.TB, names ...string) []tag.Filename {
	t.Helper()
	var out []tag.Filename
	for _, n := range names {
		f, err := tag.ParseFilename(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func TestParseFilename(t *testing.T) {
	for name, want := range map[string]tag.Filename{
		"fastapi-0.136.1-py3-none-any.whl": {
			Name: "fastapi", Version: "0.136.1", Pythons: []string{"py3"}, ABIs: []string{"none"}, Platforms: []string{"any"},
		},
		"Foo.Bar_baz-1!2.0+cpu.1-1abc-cp310.cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": {
			Name: "Foo.Bar_baz", Version: "1!2.0+cpu.1", Build: "1abc", Pythons: []string{"cp310", "cp311"}, ABIs: []string{"abi3"},
			Platforms: []string{"manylinux_2_17_x86_64", "manylinux2014_x86_64"},
		},
	} {
		got, err := tag.ParseFilename(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{
		"", ".whl", "foo.whl", "foo-1.0.whl", "foo-1.0-py3-none.whl", "foo-1.0-1-2-py3-none-any.whl", "foo-1.0-py3-none-any.tar.gz",
		"foo-1.0-py3-none-any.WHL", "foo-1.0-tag-py3-none-any.whl", "f!oo-1.0-py3-none-any.whl", "_foo-1.0-py3-none-any.whl",
		"foo-1.0-py3-none-.whl", "a/foo-1.0-py3-none-any.whl", "foo-1.0-py3-none-a\nny.whl", "föö-1.0-py3-none-any.whl",
	} {
		if f, err := tag.ParseFilename(name); err == nil {
			t.Errorf("ParseFilename(%q) = %+v, want an error", name, f)
		}
	}
}

func TestNormalizedName(t *testing.T) {
	for in, want := range map[string]string{"Foo.Bar_baz": "foo-bar-baz", "a__b._c": "a-b-c", "zope.interface": "zope-interface"} {
		if got := (tag.Filename{Name: in}).NormalizedName(); got != want {
			t.Errorf("NormalizedName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBuildTagOrder(t *testing.T) {
	ordered := []tag.BuildTag{"", "0", "0a", "1", "1a", "01b", "2", "10", "99999999999999999999", "100000000000000000000"}
	for i := range ordered {
		for j := range ordered {
			if got, want := ordered[i].Compare(ordered[j]), sign(i-j); got != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", ordered[i], ordered[j], got, want)
			}
		}
	}
	if tag.BuildTag("01").Compare("1") != 0 {
		t.Error("leading zeros count")
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

// TestTagOrder has the list by rule: each line is a Python and ABI tag, ran over all platforms where it ends in P.
func TestTagOrder(t *testing.T) {
	x86 := strings.Fields(`manylinux_2_18_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux_2_16_x86_64 manylinux_2_15_x86_64
		manylinux_2_14_x86_64 manylinux_2_13_x86_64 manylinux_2_12_x86_64 manylinux2010_x86_64 manylinux_2_11_x86_64 manylinux_2_10_x86_64
		manylinux_2_9_x86_64 manylinux_2_8_x86_64 manylinux_2_7_x86_64 manylinux_2_6_x86_64 manylinux_2_5_x86_64 manylinux1_x86_64 linux_x86_64`)
	arm := strings.Fields("manylinux_2_18_aarch64 manylinux_2_17_aarch64 manylinux2014_aarch64 linux_aarch64")
	rows := strings.Fields(`cp34-cp34-P cp34-abi3-P cp34-none-P cp33-abi3-P cp32-abi3-P py34-none-P py3-none-P py33-none-P py32-none-P
		py31-none-P py30-none-P cp34-none-any py34-none-any py3-none-any py33-none-any py32-none-any py31-none-any py30-none-any`)
	for arch, platforms := range map[tag.Arch][]string{tag.X8664: x86, tag.AArch64: arm} {
		var want []string
		for _, row := range rows {
			if stem, native := strings.CutSuffix(row, "P"); native {
				for _, p := range platforms {
					want = append(want, stem+p)
				}
				continue
			}
			want = append(want, row)
		}
		target := tag.Target{Python: tag.Python{Major: 3, Minor: 4}, Arch: arch, Glibc: tag.Glibc{Major: 2, Minor: 18}}
		if diff := cmp.Diff(want, list(target)); diff != "" {
			t.Errorf("%s: %s", arch, diff)
		}
	}
}

func list(target tag.Target) []string {
	var out []string
	for _, g := range tag.NewTags(target).List() {
		out = append(out, g.String())
	}
	return out
}

// packagingTags prints the tags of packaging for a version, machine and glibc that need not be this interpreter's. The
// only liberty taken is with what packaging reads from the running machine.
const packagingTags = `
import sys, packaging._manylinux as m, packaging.tags as t
minor, arch, glibc = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
m._get_glibc_version = lambda: (2, glibc)
m._have_compatible_abi = lambda *a: True
platforms = list(m.platform_tags([arch])) + ["linux_" + arch]
cp = "cp3%d" % minor
for tag in t.cpython_tags((3, minor), [cp], platforms):
    print(tag)
for tag in t.compatible_tags((3, minor), cp, platforms):
    print(tag)
`

func TestTagsAgreeWithPackaging(t *testing.T) {
	python := peer.Packaging(t)
	for _, target := range []tag.Target{
		bookworm,
		{Python: tag.Python{Major: 3, Minor: 13}, Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 41}},
		{Python: tag.Python{Major: 3, Minor: 11}, Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 36}},
		{Python: tag.Python{Major: 3, Minor: 9}, Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 17}},
	} {
		cmd := exec.CommandContext(t.Context(), python, "-c", packagingTags,
			fmt.Sprint(target.Python.Minor), string(target.Arch), fmt.Sprint(target.Glibc.Minor))
		if diff := cmp.Diff(strings.Fields(peer.Output(t, cmd)), list(target)); diff != "" {
			t.Errorf("%s: packaging (-) and vpk (+) differ: %s", target, diff)
		}
	}
}

func TestBest(t *testing.T) {
	tags := tag.NewTags(bookworm)
	for _, tt := range []struct {
		name, want string
		wheels     []string
	}{
		{"a native wheel before a pure one", "m-1-cp311-cp311-manylinux_2_17_x86_64.whl", []string{
			"m-1-py3-none-any.whl", "m-1-cp311-cp311-manylinux_2_17_x86_64.whl", "m-1-cp311-cp311-musllinux_1_2_x86_64.whl",
		}},
		{"the newest platform", "m-1-cp311-cp311-manylinux_2_28_x86_64.whl", []string{
			"m-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "m-1-cp311-cp311-manylinux_2_28_x86_64.whl",
			"m-1-cp311-cp311-manylinux_2_39_x86_64.whl",
		}},
		{"the ABI before the platform", "m-1-cp311-cp311-manylinux1_x86_64.whl", []string{
			"m-1-cp311-abi3-manylinux_2_28_x86_64.whl", "m-1-cp311-cp311-manylinux1_x86_64.whl",
		}},
		{"the best of a wheel's product", "m-1-cp39.cp310-abi3-linux_x86_64.whl", []string{
			"m-1-cp39-abi3-manylinux_2_36_x86_64.whl", "m-1-cp39.cp310-abi3-linux_x86_64.whl",
		}},
		{"the highest build", "m-1-10-py3-none-any.whl", []string{
			"m-1-py3-none-any.whl", "m-1-9-py3-none-any.whl", "m-1-10-py3-none-any.whl",
		}},
		{"rank before build", "m-1-py311-none-any.whl", []string{"m-1-9-py3-none-any.whl", "m-1-py311-none-any.whl"}},
		{"the first of equals", "m-1-py2.py3-none-any.whl", []string{"m-1-py2.py3-none-any.whl", "m-1-py3-none-any.whl"}},
		{"unknown tags beside known ones", "m-1-py3.zz9-none.weird-any.moon.whl", []string{"m-1-py3.zz9-none.weird-any.moon.whl"}},
		{"none", "", []string{
			"m-1-cp310-cp310-manylinux_2_17_x86_64.whl", "m-1-cp310-none-any.whl", "m-1-cp311-abi3-any.whl", "m-1-cp311-cp311-any.whl",
			"m-1-cp311-cp311-manylinux_2_37_x86_64.whl", "m-1-py3-none-win_amd64.whl", "m-1-cp312-abi3-manylinux_2_17_x86_64.whl",
		}},
		{"of nothing", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if i := tag.Best(tags, parse(t, tt.wheels...)); i >= 0 {
				got = tt.wheels[i]
			}
			if got != tt.want {
				t.Errorf("Best = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMismatch(t *testing.T) {
	tags := tag.NewTags(bookworm)
	for _, tt := range []struct {
		name   string
		wheels []string
		want   tag.Mismatch
	}{
		{"nothing", nil, tag.Mismatch{}},
		{"fits", []string{"m-1-cp39-cp39-any.whl", "m-1-py3-none-any.whl"}, tag.Mismatch{}},
		{"python", []string{"m-1-cp312-cp312-linux_x86_64.whl", "m-1-cp27.py2-none-any.whl", "m-1-pp311-pypy311_pp73-any.whl"}, tag.Mismatch{
			Reason: tag.PythonTag, Tags: []string{"cp27", "cp312", "pp311", "py2"},
		}},
		// An older CPython is not a foreign one: its abi3 wheels would fit.
		{"abi", []string{"m-1-cp312-cp312-linux_x86_64.whl", "m-1-cp311-cp311d-linux_x86_64.whl", "m-1-cp310-none.cp310-linux_x86_64.whl"}, tag.Mismatch{
			Reason: tag.ABITag, Tags: []string{"cp310", "cp311d", "cp312"},
		}},
		{"platform", []string{
			"m-1-cp39-cp39-win32.whl", "m-1-cp311-cp311-win_amd64.whl", "m-1-cp311-cp311-macosx_11_0_arm64.whl", "m-1-py3-none-win_amd64.whl",
		}, tag.Mismatch{Reason: tag.PlatformTag, Tags: []string{"macosx_11_0_arm64", "win_amd64"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tags.Mismatch(parse(t, tt.wheels...)...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A name can hold thousands of tags; their product must not be walked.
func TestRankOfAHugeProduct(t *testing.T) {
	many := strings.Repeat("cp311.", 20_000) + "cp311"
	f := parse(t, "m-1-"+many+"-"+many+"-"+strings.Repeat("moon.", 20_000)+"linux_x86_64.whl")[0]
	if _, ok := tag.NewTags(bookworm).Rank(f); !ok {
		t.Error("it does not fit")
	}
}

func FuzzParseFilename(f *testing.F) {
	for _, s := range []string{
		"a-1-py3-none-any.whl", "A.b_c-1!2+x-0b-py2.py3-none-any.any.whl", "a-1--py3-none-any.whl", "a-1-py3..-none-any.whl",
	} {
		f.Add(s)
	}
	tags := tag.NewTags(bookworm)
	f.Fuzz(func(t *testing.T, s string) {
		name, err := tag.ParseFilename(s)
		if err != nil {
			return
		}
		if name.String() != s {
			t.Fatalf("String of %q is %q", s, name.String())
		}
		again, err := tag.ParseFilename(name.String())
		if err != nil || !cmp.Equal(name, again) {
			t.Fatalf("parsed again: %+v, %v; first: %+v", again, err, name)
		}
		if strings.ContainsAny(s, "/\\") || !slices.Contains([]int{4, 5}, strings.Count(s, "-")) {
			t.Fatalf("%q was accepted", s)
		}
		_, fits := tags.Rank(name)
		if mismatch := tags.Mismatch(name); fits != (mismatch.Reason == tag.Fits) {
			t.Fatalf("%q: fits %t, mismatch %+v", s, fits, mismatch)
		}
	})
}

func BenchmarkNewTags(b *testing.B) {
	for b.Loop() {
		tag.NewTags(bookworm)
	}
}
