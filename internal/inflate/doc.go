// Package inflate decompresses raw DEFLATE (RFC 1951), as the members of wheels and the segments of layers have it.
//
// Rules:
//   - It accepts what zlib accepts, and gives what zlib gives: a code is complete, but for a code of bytes and lengths, or of distances, that
//     is a single one of one bit; there may be no distances at all; a block can end; no distance reaches before the content.
//   - Content that was given before a stream proves to be corrupt is what zlib gives for it, or less.
//   - After the end of a stream it is known to the bit where its last block begins and ends, without which streams cannot be put one behind the other.
//   - A Reader has a third of a megabyte, whatever it inflates, and allocates nothing more.
//
// Nearly all that vpk itself does for a new wheel is to inflate it, to prove it and to hash its layer, and that is why this is not done by a library:
// github.com/klauspost/compress/flate takes about twice as long for machine code and for small members (BenchmarkInflate), needs a new reader, of which
// the tables are most of the cost, for each stream whose blocks are to be reported, and reports a wrong end of those that follow a stored
// block (version 1.20.3). It is what the tests compare with, and so are compress/flate and CPython's zlib.
//
// What makes the difference: the stream is read a word at a time into a register, from a buffer that always has enough for a round of the
// inner loop, so that this asks for more once per round and not once per bit; tables of eleven bits say byte or length, extra bits and
// all, in one look; matches are copied in words.
//
// Not done: preset dictionaries, Deflate64, the zlib and gzip containers, reading a byte at a time so that nothing behind the stream is read.
package inflate
