// Package pep508 reads and prints names, markers and requirements of Python packages (PEP 508, PEP 503, PEP 685).
package pep508

import "errors"

var errIncomplete = errors.New("not yet implemented")

// NormalizeName gives the PEP 503 form of a package, extra or group name: lower
// case, each run of "-", "_" and "." one "-". It does not validate.
func NormalizeName(s string) string { return s }

// ValidName reports whether s is a package, extra or group name: ASCII letters,
// digits, ".", "_" and "-", a letter or digit at either end.
func ValidName(s string) bool { return false }

// ParseName validates s and gives its normalised form.
func ParseName(s string) (string, error) { return "", errIncomplete }
