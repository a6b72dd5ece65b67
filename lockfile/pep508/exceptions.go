package pep508

import (
	"strings"

	"vpk/lockfile/pep440"
)

// The cases in which uv 0.11.8 decides and not packaging 26.3. The first two
// can occur in a lock; of the others packaging has no answer, or one by
// accident.
//
//  1. A running Python counts by its release alone: 3.14.0rc1 is 3.14.0
//     (uv-pypi-types/src/marker_environment.rs:17). See running.
//  2. platform_release is text, not a version; and all text is ordered byte by
//     byte (uv-pep508/src/marker/algebra.rs, Edges::from_string). packaging
//     holds "<" and ">" of texts to be false, "<=" and ">=" to be equality. See
//     compareText.
//  3. "===", where a marker has it, is the one of pep440 (uv refuses it in
//     markers). Of a variable that holds text it is an error.
//  4. Comparisons that mean nothing are ignored: they are left out of the
//     conjunction or disjunction around them, and a marker of nothing else is
//     true (uv-pep508/src/marker/parse.rs:138). See meaningless.
//  5. No extra has the empty name, so that extra == '' is false; packaging
//     holds it to be true when there is no extra.
//  6. "extras" and "dependency_groups" (PEP 751) stand only to the right of
//     "in" and "not in" and are empty sets in every file but a pylock.toml;
//     packaging accepts other places and fails when it evaluates them.
//  7. A backslash in a quoted text is a backslash, as PEP 508 has it; packaging
//     applies the escapes of Python's string literals.
//  8. A package or extra name ends with a letter or digit; packaging's
//     requirements let it end with an underscore.
//  9. In a requirement, too, a comma ends the text after "===".
//
// uv also differs in these, where packaging decides, since uv rewrites or
// refuses them before they reach a lock: "in" and "not in" of a version (uv
// compares versions, packaging looks for the text), a value that is no version
// (uv ignores the comparison), the suffixes of a version in a marker (uv drops
// them), an extra whose name is not valid (uv takes == and != for false), and
// python_version != '3.9.1.*' (uv takes it for false).

// running gives what a Python version of the environment counts as. A CPython
// built from an untagged checkout calls itself "3.15.0a1+", which is no version
// as it stands.
func running(python string) string {
	v, err := pep440.Parse(strings.TrimSuffix(python, "+"))
	if err != nil {
		return python
	}
	return v.ReleaseOnly().String()
}

// compareText compares the values of variables that hold text.
func compareText(left string, op operator, right string) bool {
	switch op {
	case "<":
		return left < right
	case "<=":
		return left <= right
	case ">":
		return left > right
	case ">=":
		return left >= right
	}
	return compareNonVersions(left, op, right)
}

// meaningless reports whether a comparison is ignored: of two texts or two
// variables, of extra by any operator but == and !=, and by "~=" where the
// right-hand side is not known to be a version of two numbers or more.
func meaningless(left, right operand, op operator) bool {
	v := left.variable
	if v == noVariable {
		v = right.variable
	}
	switch {
	case (left.variable == noVariable) == (right.variable == noVariable):
		return true
	case v == extra:
		return op != "==" && op != "!="
	case op == "~=" && !v.isVersion():
		return true
	case op != "~=" && op != "===", !v.isVersion(), right.variable != noVariable:
		return false
	}
	_, err := pep440.ParseSpecifier(string(op) + right.text)
	return err != nil
}
