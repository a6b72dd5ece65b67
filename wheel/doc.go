// Package wheel gets wheels and reads them: from the lock's URL or a local path, through the verified cache, to members
// that can be opened side by side. Where a member goes in a virtual environment, and what RECORD means, is not its concern.
//
// # Store
//
// Fetch gives a Wheel. What comes over the network enters the cache only when its hash is that of the Ref; a wrong size
// with the right hash is a note. A local file without a hash is taken as it is. The cache knows wheels by SHA-256; other
// algorithms of a lock (sha384, sha512, blake2b with an output of 32 bytes, md5) lead there by an alias, a record that
// names the SHA-256; a lock that has only the md5 of a file protects it against accidents alone, with uv as with vpk. A
// mirror's file, of another host or of this machine, needs the hash that the original would have needed; where a URL
// has mirrors, it is not asked itself. Several processes that want one wheel download it once. A file in the cache
// whose size is not the recorded one, or a member whose bytes are not, is discarded, and made again by the next Fetch.
//
// # Index
//
// A new wheel is read once, whole, before it enters the cache: every member must inflate to exactly the size and CRC-32
// that the archive claims. What that pass learns is recorded (Index), so that later runs open no archive to plan with.
//
// # Cache
//
// Kinds says how entries are proved: a wheel by its SHA-256, an index by the archive's headers. A wheel and its index leave the cache together
// (one without the other harms nobody: an index is made again); an alias whose wheel is gone leads to nothing, and the wheel is downloaded. A
// wheel of a lower cache is used from there; one that is damaged there is got again.
//
// # What an archive may be
//
// The reader is stricter than pip and about as strict as uv with archives that it streams (crates/uv-extract), because
// an archive that two readers understand differently is an attack or an accident:
//
//   - one end record, at the end; NUL bytes may follow; a comment has none of the bytes 1 to 8; the central directory
//     lies right before it and its count and size are true. Zip64 is read.
//   - each member's local header says what the central directory says (name, method, encryption, sizes, CRC-32), and so
//     does its data descriptor; members do not overlap.
//   - methods 0 (stored) and 8 (deflate); no encryption, no patches, no parts on other disks.
//   - names are UTF-8 whatever flag 11 says, relative, clean (no "..", ".", empty elements), without control characters
//     and backslashes, and not a drive letter; an element has at most 255 bytes.
//   - no name is both a file and a directory. One name twice is kept once when content and mode are the same, else refused.
//   - bombs: a member has at most 8 GiB, a wheel at most 32 GiB and 500,000 members, and beyond 256 MiB at most 100 times
//     its archive's size. An archive has at most 8 GiB, its central directory 256 MiB.
//
// uv takes more: it leaves out members whose names are absolute or lead out, cleans names with dots and empty elements, keeps
// backslashes and drive letters as they are, and reads zstd. Both refuse the rest.
//
// All members that break a rule are reported at once. Directories are dropped; symbolic links are regular files with the
// target as content, executable because their mode says so, as with uv. Of modes only the executable bit counts, and only
// when the archive was made on Unix.
//
// Not done: zstd members, wheels compressed as a whole (the lock's zstd key), resuming a download that
// another process gave up.
package wheel
