package venv

import (
	"fmt"
	"strings"

	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
)

// headers are the fields of METADATA or WHEEL: e-mail headers, names in lower case, values in order.
type headers map[string][]string

// parseHeaders reads header lines up to the first empty one. A line that begins with a space or tab continues the one
// before it, joined by a newline; a line without a colon is passed over, and nothing can continue it (as the Rust crate
// mailparse does, which uv reads with). Values are trimmed, names are not.
func parseHeaders(data []byte) (headers, error) {
	h := headers{}
	name, n := "", 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if values := h[name]; len(values) > 0 && (line[0] == ' ' || line[0] == '\t') {
			values[len(values)-1] = strings.TrimSpace(values[len(values)-1] + "\n" + strings.TrimSpace(line))
			continue
		}
		if line[0] == ' ' {
			return nil, fmt.Errorf("line %d begins with a space and continues no field", n)
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			name = ""
			continue
		}
		name = strings.ToLower(key)
		h[name] = append(h[name], strings.TrimSpace(value))
	}
	return h, nil
}

// first is the first value of a field. Tools of old wrote UNKNOWN for nothing.
func (h headers) first(name string) (string, error) {
	values := h[strings.ToLower(name)]
	if len(values) == 0 || values[0] == "" || values[0] == "UNKNOWN" {
		return "", fmt.Errorf("there is no %s", name)
	}
	return values[0], nil
}

// checkMetadata proves that METADATA speaks of the wheel that the file name names: the same normalised name, and an equal
// version, or one equal to it without its local part (uv: install.rs:43).
func checkMetadata(data []byte, name, version string) error {
	h, err := parseHeaders(data)
	if err != nil {
		return err
	}
	gotName, err := h.first("Name")
	if err != nil {
		return err
	}
	normal, err := pep508.ParseName(gotName)
	if err != nil {
		return err
	}
	if normal != pep508.NormalizeName(name) {
		return fmt.Errorf("its Name is %q, the file name says %q", gotName, name)
	}
	gotVersion, err := h.first("Version")
	if err != nil {
		return err
	}
	got, err := pep440.Parse(gotVersion)
	if err != nil {
		return err
	}
	want, err := pep440.Parse(version)
	if err != nil {
		return err
	}
	if !got.Equal(want) && !got.Equal(want.WithoutLocal()) {
		return fmt.Errorf("its Version is %q, the file name says %q", gotVersion, version)
	}
	return nil
}

// checkWheelVersion proves that the format of the wheel is one that this package knows: 1.x, and 0.1, which some old test
// wheels have. Only the first Wheel-Version counts (uv: wheel.rs:270).
//
// Root-Is-Purelib is not looked at: purelib and platlib are one directory in an environment.
func checkWheelVersion(data []byte) error {
	h, err := parseHeaders(data)
	if err != nil {
		return err
	}
	version, err := h.first("Wheel-Version")
	if err != nil {
		return err
	}
	major, _, ok := strings.Cut(version, ".")
	if !ok || major != "1" && version != "0.1" {
		return fmt.Errorf("its Wheel-Version is %q, only 1.x is supported", version)
	}
	return nil
}
