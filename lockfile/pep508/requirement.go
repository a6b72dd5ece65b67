package pep508

import "vpk/lockfile/pep440"

// Requirement is one dependency specifier of PEP 508. Either Specifiers or URL is set, or neither.
type Requirement struct {
	Name       string   // normalised
	Extras     []string // normalised, sorted, each once
	Specifiers pep440.Specifiers
	URL        string
	Marker     Marker
}

// ParseRequirement reads a requirement, such as `uvicorn[standard]>=0.46 ; python_version >= '3.11'`.
func ParseRequirement(s string) (Requirement, error) { return Requirement{}, errIncomplete }

// String gives the requirement's canonical text.
func (r Requirement) String() string { return "" }
