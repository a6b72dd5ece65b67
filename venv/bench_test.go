package venv

import (
	"fmt"
	"testing"

	"vpk/internal/testwheel"
)

// BenchmarkInstall plans a wheel of 3,000 modules.
func BenchmarkInstall(b *testing.B) {
	p := pack(b, benchWheel("big", 3000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Install(spec, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnvironment plans 60 wheels of 500 modules, each with a module that all have, and joins them.
func BenchmarkEnvironment(b *testing.B) {
	var packages []Package
	for i := range 60 {
		packages = append(packages, pack(b, benchWheel(fmt.Sprintf("pkg%02d", i), 500).File("shared/__init__.py", fmt.Sprint("x = ", i/2))))
	}
	skeleton, err := Skeleton(spec)
	if err != nil {
		b.Fatal(err)
	}
	installed := make([]Installed, len(packages))
	plan := func() {
		for i, p := range packages {
			if installed[i], err = Install(spec, p); err != nil {
				b.Fatal(err)
			}
			installed[i].Rank = i
		}
	}
	b.Run("install", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			plan()
		}
	})
	plan()
	b.Run("join", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, collisions, err := Join(skeleton, installed, Report); err != nil || len(collisions) != 58 {
				b.Fatal(err, len(collisions))
			}
		}
	})
}

func benchWheel(name string, modules int) *testwheel.Builder {
	w := testwheel.New(name, "1").EntryPoint(name, name+":main")
	for i := range modules {
		w.File(fmt.Sprintf("%s/sub%d/module%d.py", name, i%60, i), fmt.Sprintf("x = %d\n", i))
	}
	return w
}
