// Package tag holds what a wheel's file name says (PEP 427) and the compatibility tags of a target (PEP 425, PEP 600).
//
// A Target is plain data: CPython minor, architecture, glibc. Its tags are uv's list in uv's order
// (crates/uv-platform-tags/src/tags.rs), so that the best wheel here is the best wheel there. musllinux never matches.
//
// The package is a leaf: it imports no other package of the module.
package tag
