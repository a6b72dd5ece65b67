package marshal

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCanonical rewrites the standard library of an interpreter.
func BenchmarkCanonical(b *testing.B) {
	for _, minor := range []string{"3.9", "3.13"} {
		b.Run(minor, func(b *testing.B) {
			var sources []source
			for _, name := range standardLibrary(b, minor) {
				text, err := os.ReadFile(name)
				if err != nil {
					b.Fatal(err)
				}
				sources = append(sources, source{name, string(text)})
			}
			f, size := format(b, minor), int64(0)
			modules := compiled(b, minor, "0", "fresh", sources)
			for _, m := range modules {
				size += int64(len(m))
			}
			b.SetBytes(size)
			b.ReportAllocs()
			var out []byte
			started := cpu(b)
			for b.Loop() {
				for i, m := range modules {
					var err error
					if out, _, err = f.Canonical(out[:0], m); err != nil && len(m) > 0 {
						b.Fatalf("%s: %v", sources[i].name, err)
					}
				}
			}
			// On a machine that does something else, too, this says more than the time that passed.
			b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpu(b)-started).Seconds(), "MB/cpu-s")
		})
	}
}

// cpu is the processor time that this process has taken.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// standardLibrary are modules that every installation of a minor has.
func standardLibrary(t testing.TB, minor string) []string {
	t.Helper()
	dir := string(ask(t, minor, "0", "library")[0])
	files, err := filepath.Glob(filepath.Join(dir, "*.py"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no modules in %s: %v", dir, err)
	}
	return slices.DeleteFunc(files, func(name string) bool { // Debian's links to what is configured elsewhere
		_, err := os.Stat(name)
		return err != nil
	})
}
