package pep508

import "testing"

var ordinary = []string{
	"sys_platform == 'linux'",
	"python_full_version < '3.12'",
	"(python_full_version >= '3.11' and platform_machine == 'arm64') or (python_full_version < '3.13' and sys_platform == 'linux')",
	"extra == 'extra-3-foo-cpu' or extra != 'extra-3-foo-gpu'",
}

func BenchmarkParseMarker(b *testing.B) {
	for _, s := range ordinary {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseMarker(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	env := linux("3.11", "3.11.2", "x86_64")
	active := map[string]bool{"extra-3-foo-gpu": true}
	extras := func(name string) bool { return active[name] }
	for _, s := range ordinary {
		m, err := ParseMarker(s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Evaluate(env, extras)
			}
		})
	}
}

func BenchmarkParseRequirement(b *testing.B) {
	for _, s := range []string{"idna", "uvicorn[standard]>=0.46,<1 ; python_version >= '3.11'", "foo @ https://index.example/foo-1.0-py3-none-any.whl"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseRequirement(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
