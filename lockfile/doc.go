// Package lockfile reads a uv.lock and selects from it what an image of one target gets.
//
// # Reading
//
// Parse takes every lock of schema version 1, of any revision, as uv 0.11.8 does: each kind of source, each form in which
// a file is named, older names of keys, dynamic versions. Keys that it does not know are read over, but for those of a
// conflict, where uv refuses them too. It makes uv's structural checks: identities and edges that occur twice, edges that
// lead nowhere or to several packages, hashes that must or must not be there, wheels of another version than their
// package, git sources without a commit. Problems are told all at once, with their lines. Locks of uv 0.5 to 0.13 (revisions 0
// to 5) are compared in tests.
//
// On locks that no uv writes it differs from uv 0.11.8 as follows. It refuses what uv finds out when it installs, or never: a
// hash that is none, a package other than a source tree without a version, an empty name, the chosen wheel of another
// package, and a wrong type for a key which another key beside it makes moot. It reads what uv refuses: anything for times
// of upload and zstd copies of wheels, which are not kept; keys of manifest.dependency-metadata that it does not know; for
// the address of an index or in a requirement, what is no URL (they are only compared); empty parts of specifiers, as
// packaging does. A version of Python compared with something that is none is a comparison of texts, as in packaging.
// go-toml reads keys in any case, and an array of tables made by dotted keys.
//
// # Selection
//
// Select follows uv's traversal step by step (crates/uv-resolver/src/lock/installable.rs:49), with its two passes where
// the lock declares conflicts. Edges alone decide; a marker is judged only once its parent is chosen, as newer versions of
// uv leave out of it what the parent implies. Markers are simplified by requires-python, so the target's Python is checked
// first. What differs from uv, on purpose:
//
//   - the group "dev" is no default;
//   - two versions of a name are an error (uv installs both where a group activates a conflicting extra);
//   - a package that is left out by name needs no file;
//   - a package with wheels that do not fit the target is an error even if it has a source distribution: nothing is built;
//   - all packages of a lock with a single project are checked for conflicts like that project (uv checks nothing).
//
// Roots are the project in the lock's directory, by the name in its pyproject.toml where that is known, the members that are named, or all members, which is also what a root
// that is no project means; the groups of such a root are requirements, whose packages are found by resolution markers.
//
// Wheels come from an index, a URL or a path (Selected says where). A directory that is a package is installed in place (Local);
// a virtual one is not installed. Whatever would have to be built (source distributions, git sources) is an error that names
// all of it.
//
// # Messages
//
// An error names whatever uv names in the same place (cmd/vpk compares them), and how the package came in: the way from
// the project over the extras and groups that ask for it, "demo[web] → fastapi → starlette". URLs are shown
// without passwords, queries and fragments. Misspelt names get the nearest one. What was reached, and along which
// dependencies, is in Selection.Reached.
//
// # Freshness
//
// Check compares the lock with the pyproject.toml of its workspace as `uv lock --check` does, in the same order
// (crates/uv/src/commands/project/lock.rs:1041, mod.rs:1584), without network and build backend: tool.uv.sources are
// applied, markers and ranges compared by meaning. What it cannot decide it notes. Beyond uv, each requirement has its edge,
// and the edge's version fits.
//
// Places such as "spec §2.4" are in spec/uv-lock-reading.md, "mod.rs:4059" in uv 0.11.8's crates/uv-resolver/src/lock.
//
// The package knows nothing of the network, of the content of wheels, or of files: it takes
// bytes, and Check takes functions that read files.
package lockfile
