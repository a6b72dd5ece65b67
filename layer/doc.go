// Package layer turns parts of a tree into deterministic image layers, and layers on top of a base into an image. It knows
// tar, gzip and image configuration, and nothing of Python.
//
// # The bytes of a layer
//
// A layer's tar is a function of its Spec alone:
//
//   - first the directories of Spec.Shared, and those above them; then the parts in the order given. Of each part first the
//     directories that it has or needs and that are not written yet, then its files and links in the part's own order;
//   - directories come once, parents before children (bytewise order), with mode 0755 and the layer's owner and time; one named
//     in Spec.Directories keeps the attributes given there;
//   - a path that several parts hold with identical kind, mode, target and content is written once, where it comes first; a
//     path held with differing ones, or as a directory and as something else, is an error;
//   - two zero blocks, and no padding beyond them.
//
// Headers are USTAR where everything fits, PAX (and only the records that are needed) where something does not, never GNU.
// No user or group names, no access or change times, permission bits from the entry, modification times in whole seconds (but
// those of Spec.Directories, which are as exact as the base has them).
// Names have no leading "./"; those of directories end in a slash. Every byte of content is checked against the Digest and
// Size that its Content claims, but for content that is spliced: that against the CRC-32 of its wheel, whose members were
// proved when it came.
//
// # Segments
//
// A part becomes a segment of the blob, which can be made without those before it, and is made once: the cache keeps it under
// the part's key, owner, time, and what it writes of directories and leaves out of files. So are the shared directories and the
// end of the archive, which are not kept.
//
// With gzip the blob is one gzip member: a fixed ten-byte header (no name, no time, no extra flags, system "unknown"), the
// segments, an empty last block, the trailer. (Several members would be simpler, and legal; readers that see only the first keep
// turning up.) A segment is a row of deflate blocks from two places. Files of 32 KiB and more that are at hand compressed, as
// in a wheel, are spliced: their own blocks are copied, the bit that marks the last one cleared, and the stream brought to a byte
// by an empty stored block unless it ends there. The runs of headers, padding and other files between them are compressed
// by klauspost/compress/flate at level 6, each from an empty window and with Flush at its end. The trailer's CRC-32 is combined
// from those of the pieces.
//
// Only parts with a key are spliced: it names the compressed form as well. What is spliced depends on whoever built the
// wheel, and not on this package's encoder.
//
// With zstd a segment is one frame, with a checksum of its own; levels are klauspost/compress/zstd's four, to which those of
// the zstd program are mapped. With none it is the tar as it is, and the cache keeps nothing.
//
// FormatVersion stands for the encoders, their levels and all rules above: it is raised whenever the same Spec would give other
// bytes, and is part of every cache key. Golden tests hold the bytes.
//
// Threshold and level are chosen by measurement, on 291 wheels of 10 kB to 40 MB: the most used ones and what they depend on. Size
// of the segments against that without splicing at level 6, and processor seconds to make them (TestThreshold):
//
//	            192 pure wheels, 997 MB of tar     99 wheels with extension modules, 1574 MB
//	splice from level 6          level 5           level 6          level 5
//	    16 KiB  +0.7 %  2.1 s    +1.0 %  2.1 s     -3.7 %   0.7 s   -3.6 %   0.7 s
//	    32 KiB  -1.0 %  3.0 s    -0.6 %  2.9 s     -3.9 %   1.1 s   -3.8 %   1.1 s
//	    64 KiB  -1.5 %  4.0 s    -0.9 %  3.8 s     -4.0 %   1.6 s   -3.8 %   1.5 s
//	   128 KiB  -1.5 %  4.9 s    -0.6 %  4.7 s     -3.9 %   2.1 s   -3.7 %   2.1 s
//	     never   0.0 %  8.5 s    +1.7 %  8.1 s      0.0 %  17.2 s   +1.2 %  16.7 s
//
// Wheels are compressed by zlib, which is slower and better, so that splicing makes blobs smaller.
//
// # The cache
//
// A layer's key is made of format version, compression, part names and keys, owner, time and directories; a part without a key
// counts with all that its entries say. Under it the cache keeps a record of digest, DiffID and sizes, so that an unchanged
// layer costs no reading at all. Blobs are not kept: they are put together from segments and wheels when a destination lacks them.
//
// A new layer is hashed as it will be read: the blob is put together, hashed and decompressed, each piece of it compared with
// the CRC-32 that it had when it was made, and what comes out is hashed. What was compressed a moment ago, and is still in memory, is
// hashed from there, up to 32 MiB of it. The state of both sums is kept where a part ends, under
// the keys of all segments so far, though not more often than once in a mebibyte, so that a layer of which one part changed is
// hashed from there on.
//
// A segment that proves damaged, or is lost, is made again. A blob is checked while it is read; one that is not right is reported as
// ErrDamaged, after its segments were discarded and made again: opening the layer again gives a good one. If that comes out
// different, or a wheel itself is damaged, it is another error. Segments and layers are made side by side, as many at once as
// there are processors, in memory that does not grow with them; the bytes do not depend on it.
//
// Kinds says how entries are proved: records by their checksum, what is compressed of a segment by inflating it to what its record says (so that bits no
// reader of it looks at are left to the blob's digest). A segment's record and data leave the cache together; all others are harmless alone.
//
// # Which parts share a layer
//
// Assignment divides units, each the parts of one package, into bundles, of which each becomes a layer. A layer is what a
// registry stores, and a machine pulls, once; so large units (of 2 MiB and more) have one each, which all images with that unit
// share, and small ones share some. What a unit is named, and how large it is, decides; an edit changes few bundles. See
// Assignment.Assign.
//
// # Images
//
// An image is its base's layers, untouched, and vpk's on top; its config and manifest are of OCI types even if the base's are
// Docker's, and their media types are mapped. See Image.
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
// A push may begin before the image is there (Push): layers are sent while others are still made. What a manifest of a repository names is
// there, and is not asked for blob by blob; what another repository of the registry got from here before is mounted from it.
//
// Several images, of one project for several platforms, are delivered under one index, each blob once; a registry gets the
// index last. What holds one image, a Docker archive or an engine, takes no index.
//
// Not done here: how entries come to be in a part, referrers, resuming an upload, removing
// blobs that a layout needs no more.
package layer
