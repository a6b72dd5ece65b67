package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// amount is a number, which may have a fraction, and a unit.
var amount = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)

// readAmount reads a number with one of some units.
func readAmount(text string, units map[string]float64, most float64) (float64, bool) {
	m := amount.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, false
	}
	unit, ok := units[m[2]]
	n, err := strconv.ParseFloat(m[1], 64)
	if n *= unit; !ok || err != nil || n > most {
		return 0, false
	}
	return n, true
}

// ageUnits are in seconds.
var ageUnits = map[string]float64{"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}

// ParseAge reads a length of time: "30d". Units are s, m, h, d and w.
func ParseAge(text string) (time.Duration, error) {
	n, ok := readAmount(text, ageUnits, math.MaxInt64/float64(2*time.Second))
	if !ok {
		return 0, fmt.Errorf("%q is not a length of time: want a number and s, m, h, d or w", text)
	}
	return time.Duration(n * float64(time.Second)), nil
}

// sizeUnits are in bytes: those of SI, as registries count and as letters alone are read, and those of IEC.
var sizeUnits = map[string]float64{
	"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseSize reads a number of bytes: "10GB", "512MiB", "0".
func ParseSize(text string) (int64, error) {
	n, ok := readAmount(strings.ToLower(text), sizeUnits, 1<<62)
	if !ok {
		return 0, fmt.Errorf("%q is not a size: want a number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
	}
	return int64(n), nil
}
