package pep440

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"2.32.3", "2.32.0.20241016", "3.14.0rc1", "2.5.1+cu121", "v1.0-ALPHA.1", "99999999999999999999.1"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, pair := range [][2]string{{"2.32.3", "2.32.4"}, {"1!2.32.3", "1!2.32.4"}} {
		v, w := MustParse(pair[0]), MustParse(pair[1])
		b.Run(pair[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v.Compare(w) != -1 {
					b.Fatal("wrong order")
				}
			}
		})
	}
}

func BenchmarkParseSpecifiers(b *testing.B) {
	for _, s := range []string{">=3.11", ">=1.21.1,<3", "~=1.4.2,!=1.4.5.*"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseSpecifiers(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContains(b *testing.B) {
	for _, s := range []string{">=3.11", ">=1.21.1,<3", "~=1.4.2", "==1.4.*", ">1.0.post1", "<1!2"} {
		set, err := ParseSpecifiers(s)
		if err != nil {
			b.Fatal(err)
		}
		v := MustParse("1.26.4")
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Contains(v)
			}
		})
	}
}
