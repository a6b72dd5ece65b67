// Package pep508 reads, prints and evaluates the names, markers and
// requirements of Python packages.
//
// The rules are PEP 508 (and PEP 503 and 685 for names) as packaging 26.3
// applies them: it decides which texts are legal and what a marker answers.
// Where uv 0.11.8 answers otherwise, uv decides if the case can occur in a
// uv.lock, or if packaging has no answer that makes sense; all of those cases
// are in exceptions.go and nowhere else.
//
// # Markers
//
// A marker is kept as it was written, less redundant parentheses and
// comparisons that mean nothing; it is not simplified. Variables hold versions
// (python_version, python_full_version, implementation_version), which compare
// as PEP 440 says and fall back to comparing text where one side is no
// version, or plain text (all others). Extras are asked of a function, so that
// any number may be active at once, and the synthetic names that uv writes for
// conflicting extras and groups (extra-3-foo-gpu) are names like any other.
//
// The printed form is that of uv.lock: single quotes, a blank around operators,
// conjunctions in parentheses inside a disjunction. Reading a marker that uv
// wrote and printing it gives the same text, and reading what was printed
// always gives the same marker.
//
// # Conditions
//
// An Algebra makes of a marker the Condition that it is: one value for all
// markers of one meaning, as uv sees it. Conditions are combined, compared, and
// simplified for a range of Python.
//
// # Not done
//
// No default environment, no text of a Condition, no check that the URL of a
// requirement is one.
package pep508
