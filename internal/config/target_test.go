package config

import (
	"testing"

	"vpk/internal/fault"
	"vpk/wheel/tag"
)

func TestParseTarget(t *testing.T) {
	for platform, want := range map[string]tag.Target{
		"x86_64-manylinux_2_36":     {Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 36}},
		"manylinux_2_17_aarch64":    {Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 17}},
		"x86_64-manylinux2014":      {Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 17}},
		"linux":                     {Arch: tag.X8664, Glibc: tag.Glibc{Major: 2, Minor: 28}},
		"aarch64-unknown-linux-gnu": {Arch: tag.AArch64, Glibc: tag.Glibc{Major: 2, Minor: 28}},
	} {
		want.Python = tag.Python{Major: 3, Minor: 11}
		got, err := ParseTarget("3.11", platform)
		if err != nil || got != want {
			t.Errorf("ParseTarget(%q) = %+v, %v", platform, got, err)
		}
	}
	for _, test := range [][2]string{
		{"3", "linux"}, {"2.7", "linux"}, {"3.x", "linux"}, {"3.11", "windows"}, {"3.11", "x86_64-unknown-linux-musl"},
		{"3.11", "x86_64-manylinux_3_1"}, {"3.11", "x86_64-manylinux_2_99999999999999999999"}, {"3.11", ""},
	} {
		if _, err := ParseTarget(test[0], test[1]); fault.KindOf(err) != fault.Usage {
			t.Errorf("ParseTarget(%q, %q): %v", test[0], test[1], err)
		}
	}
}
