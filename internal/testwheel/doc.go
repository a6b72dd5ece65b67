// Package testwheel makes wheels for tests: good ones, odd ones and every kind of bad one, and a server that hands them
// out well or badly. Nothing outside tests imports it.
//
// A Builder adds METADATA, WHEEL, entry_points.txt and RECORD to the files that it is given; options replace or spoil
// each of them. The archive is written by hand, so that headers may lie. The bytes depend on nothing but the calls that
// made them: no time, no map order, and klauspost's deflate, whose output the module's version pins (the standard
// library's changes with the toolchain).
//
// A Server speaks HTTP on loopback, with Range and If-Range, counts what it is asked, and misbehaves as told.
package testwheel
