package pep508

// Environment holds the values of PEP 508's environment variables of one target.
type Environment struct {
	ImplementationName           string // "cpython"
	ImplementationVersion        string // "3.11.2"
	OSName                       string // "posix"
	PlatformMachine              string // "x86_64", "aarch64"
	PlatformPythonImplementation string // "CPython"
	PlatformRelease              string // "" where it is not known
	PlatformSystem               string // "Linux"
	PlatformVersion              string // "" where it is not known
	PythonVersion                string // "3.11"
	PythonFullVersion            string // "3.11.2"
	SysPlatform                  string // "linux"
}

// Marker is a parsed environment marker; the zero Marker is always true.
type Marker struct{ root *expr }

type expr struct{}

// ParseMarker reads a marker, such as `python_version < '3.12' and extra == 'cpu'`.
func ParseMarker(s string) (Marker, error) { return Marker{}, errIncomplete }

// IsTrue reports whether m is the zero Marker.
func (m Marker) IsTrue() bool { return m.root == nil }

// Evaluate reports whether the marker holds in env. `extra == 'x'` is
// extras("x"), with the name normalised, and `extra != 'x'` its negation; a nil
// extras has none.
func (m Marker) Evaluate(env Environment, extras func(name string) bool) bool { return false }

// String gives the canonical text; it is empty for the zero Marker.
func (m Marker) String() string { return "" }
