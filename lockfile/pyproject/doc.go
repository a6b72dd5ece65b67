// Package pyproject reads what vpk needs of a pyproject.toml: the project's name, version and requirements (PEP 621),
// its dependency groups (PEP 735), its scripts, and the keys of [tool.uv] that bear on locking and selection; and the
// settings of a uv.toml. [tool.vpk] is for others to decode: Data is the whole file.
//
// Requirements are as written: tool.uv.sources are not applied, markers not simplified. Included groups are inlined, once
// for each include, in place. Problems are told all at once, with their lines. Keys that are not needed are not checked.
package pyproject
