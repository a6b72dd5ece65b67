// Package pep440 reads, orders and prints Python versions and version
// specifiers.
//
// The rules are PEP 440 as packaging 26.3 applies them: every spelling that it
// accepts is accepted and every other one is refused, versions have its order,
// and a specifier contains what it contains there with pre-releases allowed.
// Deciding whether a pre-release may be chosen at all is left to the caller.
// Where uv 0.11.8 answers otherwise when it locks, uv decides; all of those
// cases are in exceptions.go and nowhere else.
//
// # Versions
//
// Components may have any number of digits; nothing overflows. A Version holds
// its normalised text and, where every component is small enough (which is
// nearly always), a sort key of two words, so that most comparisons are two
// comparisons of integers. Neither parsing normalised text nor comparing
// allocates. A Version may share memory with the string it was parsed from.
//
// # Specifiers
//
// ParseSpecifiers reads the comma-separated form of package metadata. Empty
// clauses are skipped, as packaging does. "===" takes any text; where that text
// is no version the clause is legal and holds for no version.
//
// # Not done
//
// No legacy versions (pytz-style dates and the like that PEP 440 refuses), no
// choice among candidates, no algebra on sets beyond their outer bounds.
package pep440
