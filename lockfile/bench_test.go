package lockfile_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"vpk/lockfile"
	"vpk/wheel/tag"
)

// largeLock makes a lock of about a megabyte, shaped as uv writes it: each package with its sdist and a wheel for each of
// a few versions of Python and platforms, a few edges, some with markers.
func largeLock() string {
	var out strings.Builder
	out.WriteString("version = 1\nrevision = 3\nrequires-python = \">=3.11\"\n")
	const packages = 186
	file := func(name string) string {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
		return fmt.Sprintf("{ url = \"https://files.index.example/packages/%s/%s/%s/%s\", hash = \"sha256:%s\", size = 123456, "+
			"upload-time = \"2026-01-02T03:04:05.678Z\" }", sum[:2], sum[2:4], sum[4:], name, sum)
	}
	out.WriteString("\n@root virtual\ndependencies = [\n")
	for i := range packages {
		fmt.Fprintf(&out, "    { name = \"package-%d\" },\n", i)
	}
	out.WriteString("]\n")
	for i := range packages {
		version := fmt.Sprintf("%d.%d.0", i%7, i)
		fmt.Fprintf(&out, "\n[[package]]\nname = \"package-%d\"\nversion = %q\nsource = { registry = %q }\ndependencies = [\n", i, version, index)
		for j := i + 1; j < min(i+6, packages); j++ {
			fmt.Fprintf(&out, "    { name = \"package-%d\", marker = \"python_full_version < '3.%d'\" },\n", j, 8+j%8)
		}
		fmt.Fprintf(&out, "]\nsdist = %s\nwheels = [\n", file(fmt.Sprintf("package_%d-%s.tar.gz", i, version)))
		for _, cp := range []string{"cp311", "cp312", "cp313"} {
			for _, platform := range []string{
				"macosx_11_0_arm64", "manylinux_2_17_aarch64.manylinux2014_aarch64",
				"manylinux_2_17_x86_64.manylinux2014_x86_64", "musllinux_1_2_x86_64", "win_amd64",
			} {
				fmt.Fprintf(&out, "    %s,\n", file(fmt.Sprintf("package_%d-%s-%s-%s-%s.whl", i, version, cp, cp, platform)))
			}
		}
		out.WriteString("]\n")
	}
	return expandLock(out.String())
}

func BenchmarkParse(b *testing.B) {
	data := []byte(largeLock())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lockfile.Parse(data, "uv.lock"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	lock, err := lockfile.Parse([]byte(largeLock()), "uv.lock")
	if err != nil {
		b.Fatal(err)
	}
	target := testTarget("3.12", tag.X8664)
	b.ReportAllocs()
	for b.Loop() {
		s, err := lockfile.Select(lock, target, lockfile.Request{})
		if err != nil || len(s.Packages) != 186 {
			b.Fatalf("%v, %v", s, err)
		}
	}
}

// BenchmarkLockToSelection is the way from the bytes of a lock to the wheels of an image.
func BenchmarkLockToSelection(b *testing.B) {
	data := []byte(largeLock())
	target := testTarget("3.12", tag.X8664)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		lock, err := lockfile.Parse(data, "uv.lock")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := lockfile.Select(lock, target, lockfile.Request{}); err != nil {
			b.Fatal(err)
		}
	}
}
