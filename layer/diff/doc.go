// Package diff compares two images, of whatever origin, and says all that is different between them.
//
// # What is compared
//
// Two images are equal when their manifests are the same bytes; then nothing else is read. Otherwise the report has, in this
// order, each part sorted:
//
//   - Manifest: every field but the layers, and but digest and size of the config, which only follow from it.
//   - Config: every field but rootfs.diff_ids. Lists are compared by position; the history is aligned first, Env is compared by
//     the names of its variables and by their order.
//   - Layers: the lists are aligned by DiffID first; what is left between two equal layers by the history's created_by, and
//     what is left then by position. A pair of layers with one DiffID differs in its descriptor alone, or in how the same
//     archive was compressed. Of any other pair every entry of the archives is compared with the entry of the same name (the
//     nth with the nth, where a name comes several times): kind, mode, owner, the owner's names, times, size, content, target,
//     device, the tar's own format and PAX records; then their order. Layers without a partner are listed and not read.
//   - Files: what a container sees, path by path: kind, mode, owner, size, time, target, content, which paths are one file.
//     Layers are squashed by the rules of package base. Extended attributes and devices' numbers are compared in layers only.
//
// Whenever the bytes differ, something is reported: where no field, entry or order does, a document's spelling (the field is
// then called "(spelling)"), or the first byte at which archives or blobs part.
//
// Of content the report gives the digests, the offset of the first byte that differs, and what is there: of text the line and
// its number, of bytecode (.pyc) the field of its header (PEP 552) or "code", of anything else some bytes in hexadecimal. That
// is done for the first MaxExcerpts files of a pair of layers; of the others the digests must do.
//
// # Cost
//
// Bytes stream: of a file only its digest stays in memory, and eight bytes for every 4 KiB of a layer that differs, by which
// the place of the first difference is found; a second pass over such a pair of layers fetches what is there.
//
// Errors are those of package base: an image whose bytes are not what their digests promise is not compared.
//
// # The JSON form
//
// Report and what is in it, as their tags say. Lists are never null. A side that lacks something has no key for it: "a" and "b"
// are what the first and the second image have. Fields may be added, those that are there keep their meaning.
//
// Not done: other platforms of an index than the one that was opened, signatures, attestations and referrers; sockets.
package diff
