// Package base opens a base image and says what it is: which CPython for which machine, every file of its squashed root
// file system, and a directory with that root unpacked. It knows how to find the interpreter and nothing else of Python.
//
// # Reference
//
// REF (a registry reference), oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:TAG]; all but the last may end
// in @sha256:HEX, which then decides and the tag only says where to look for news. See ParseRef.
//
// # Choosing the image
//
// A reference may name an index. Its first manifest for the wanted platform is the base; a descriptor without a platform is
// judged by its config. Attestations and artifacts are passed over. A reference that names a manifest must be of the wanted
// platform itself. A layout without a tag must hold one image (for each platform). A Docker archive has no manifest: an OCI
// one is written for it, with its layers as they lie in the archive (uncompressed ones stay uncompressed), so that the same
// archive has the same digest everywhere.
//
// # Trust and cache
//
// Every byte is checked against the digest that leads to it: manifest, config, each layer (compressed against the manifest's
// digest and size, uncompressed against the config's DiffID) while it streams. What came from a registry is kept by digest:
// manifests and configs (kind base-manifest), layers once they are asked for (base-blob), the digest that a tag had last
// (base-tag). Layouts and archives are read where they are; one that is compressed as a whole is inflated into the cache once
// (base-archive). The file index is kept by manifest digest (base-files), the unpacked root too (base-root). With these in
// the cache, a base that is named by digest needs no network and none of its layers.
//
// Where the cache has lower ones, what these have is used from there, an unpacked root too: nobody writes into one. Kinds says how entries are proved;
// each is harmless without the others.
//
// # File index
//
// Layers are squashed as the OCI image specification (layer.md) and containerd do it. In the order of the archive: parents
// are followed through links, inside the root; a missing parent is made (0755, owner 0:0, the epoch); the last component is
// never followed: a directory over a directory keeps what is in it, anything else replaces what was there. A whiteout hides
// only what lower layers made, wherever it stands in its layer, and makes nothing; other .wh..wh. names are aufs' own and
// are passed over. Hard links share one inode and may reach lower layers. Refused: a path with "..", an entry below something
// that is not a directory, a hard link to nothing or to a directory, a whiteout of nothing nameable, names that no file system takes.
//
// Links are resolved in the index, never on the disk, with the kernel's limit of 40.
//
// # Facts
//
// The interpreter is looked for in the Entrypoint's first word, then Cmd's, then as python3 and python on the config's PATH,
// then as the highest python3.N on that PATH, in /usr/bin and in /usr/local/bin; each through links. Its version is the
// NUL-terminated string (PY_VERSION) in the read-only segments of the program or of the libpython it needs, of the minor that
// its name or its standard library says; where several differ, one that stands alone between NULs wins over the tail of a
// longer string (linkers merge strings by their ends). A trailing "+", an unreleased build's, is dropped. Its machine must be
// the config's architecture, its loader glibc's; the glibc is the highest GLIBC_2.N that its libc.so.6 defines. The standard
// library is lib/python3.N or lib64/python3.N in the nearest directory above the interpreter's that has os.py in it.
//
// # Unpacked root
//
// What the index says, and of a base only what its interpreter needs to run (Image.Root): directories, then files (each from the layer that has it), hard links, symbolic links
// last, so that nothing is ever written through one, and all through an os.Root. Times are kept (but those of symbolic links).
// Never made: devices, FIFOs and sockets; setuid and setgid bits; owners; extended attributes; write permission for group and
// others, since the cache belongs to its user. Directories get u+rwx and files u+r. The files that the interpreter loads (itself, its loader,
// libraries, standard library, nothing more and nothing less in that) are compared with the index before each use, and a
// root that fails is made again. To compare is to read them, unless that was done in the same boot of the machine and all that stat
// says of them is as it was then (base-root-look).
//
// # Limits
//
// See the constants below. Not done: signatures, foreign layers' URLs, encrypted layers, other digests than SHA-256, sockets.
package base
