// Package layer turns parts of a tree into deterministic image layers, and layers on top of a base into an image. It knows
// tar, gzip and image configuration, and nothing of Python.
//
// # The bytes of a layer
//
// A layer's tar is a function of its Spec alone:
//
//   - first a preamble: every directory that the layer has or needs, once, parents before children (bytewise order), mode
//     0755, the layer's owner and time; a directory named in Spec.Directories keeps the attributes given there;
//   - then the parts in the order given, the entries of each in its own order; files and links only. A path that several
//     parts hold with identical kind, mode, target and content is written once, where it comes first; a path held with
//     differing ones, or as a directory and as something else, is an error;
//   - two zero blocks, and no padding beyond them.
//
// Headers are USTAR where everything fits, PAX (and only the records that are needed) where something does not, never GNU.
// No user or group names, no access or change times, modification times in whole seconds, permission bits from the entry.
// Names have no leading "./"; those of directories end in a slash. Every byte of content is checked against the Digest and
// Size that its Content claims.
//
// The blob is one gzip member: a fixed ten-byte header (no name, no time, no extra flags, system "unknown"), a stream of
// klauspost/compress/flate at one level, the trailer. FormatVersion stands for the encoder, its level and all rules above:
// it is raised whenever the same Spec would give other bytes, and is part of every cache key. Golden tests hold the bytes.
//
// # The cache
//
// A layer whose parts all have keys has a key itself: format version, part names and keys, owner, time, directories. Under it
// the cache keeps a record of digest, DiffID and sizes, so that an unchanged layer costs no reading at all. Blobs are kept by
// digest. A blob is checked while it is read; a damaged one is discarded and reported as ErrDamaged, after which opening the
// layer makes it again, as it does for a missing one. A blob made again that has another digest than before is an error.
//
// # The image
//
// Manifest and config are always of OCI types, whatever the base's are; layers of the base keep their bytes and digests, and
// their media types are mapped. See Image.
//
// # Delivery
//
// A Destination takes an image: a registry, an OCI layout, an archive, a container engine, a directory. All are used through
// Deliver. Rules for every one:
//
//   - Whole or not at all. Files are written under another name, synced and renamed; a registry gets the manifest last. When
//     a delivery fails or its context ends, what was there before is there unchanged, and nothing else (but a registry may keep
//     blobs that no manifest names). A process that is killed leaves files named ".NAME.vpk-*", and in a layout a directory
//     ".vpk-*", which the next delivery to it removes.
//   - Nothing unchecked. Every blob is hashed while it is copied, and the copy counts only if the digest is right; a blob that
//     a layout has already is hashed before it is relied on. A damaged blob of the cache is made again, once.
//   - Equal input gives equal bytes. Archives hold their members in a fixed order with owner 0, mode 0644 and no time.
//   - The user's umask decides the modes of files and directories made here (but see tree.WriteDir for Directory).
//   - Errors that a user can repair are of kind Delivery and name the place; bad syntax is of kind Usage. Where a layer of the
//     base can't be read, the kind is Base. A cancelled delivery returns the context's cause.
//
// A Docker archive, which is also what a container engine is given to load, is at once an OCI layout and a Docker archive:
// oci-layout and index.json name the manifest, manifest.json names the same blobs for readers of the older form. Read in the
// newer way the image keeps its manifest digest; in the older one its ID is the digest of the config.
//
// Not done here: how entries come to be in a part, which parts share a layer, zstd, several gzip segments, several platforms
// under one index, referrers, resuming an upload, removing blobs that a layout needs no more.
package layer
