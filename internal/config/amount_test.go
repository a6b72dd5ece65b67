package config

import (
	"testing"
	"time"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 30 * 24 * time.Hour, "1w": 7 * 24 * time.Hour, "1.5h": 90 * time.Minute, "90 m": 90 * time.Minute, "0s": 0} {
		if got, err := ParseAge(text); err != nil || got != want {
			t.Errorf("ParseAge(%q) = %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]int64{"0": 0, "10GB": 10e9, "10g": 10e9, "1.5 KiB": 1536, "2MiB": 2 << 20, "7": 7, "3b": 3, "1TiB": 1 << 40} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1e3d", "1", "3D", "1y", "999999999w", "1,5h"} {
		if got, err := ParseAge(text); err == nil {
			t.Errorf("ParseAge(%q) = %v", text, got)
		}
	}
	for _, text := range []string{"", "GB", "-1", "1e3", "0x10", "1PB", "9999999999999999999", "10 G B"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %v", text, got)
		}
	}
}
