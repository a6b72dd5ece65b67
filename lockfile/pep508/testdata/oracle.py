"""Answers what packaging says of markers and requirements; see differential_test.go.

Where uv decides, its rule is applied here to the comparison in question, which
is a second statement of exceptions.go. All other comparisons are packaging's.
"""

import json
import sys

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, _evaluate_markers
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, Specifier
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

VERSIONS = {"python_version", "python_full_version", "implementation_version"}
SETS = {"extras", "dependency_groups"}


def version(text):
    try:
        return Version(text)
    except InvalidVersion:
        return None


def comparisons(tree):
    for item in tree:
        if isinstance(item, list):
            yield from comparisons(item)
        elif isinstance(item, tuple):
            yield item


def sides(comparison):
    """The variable (None if there is not exactly one), the operator, the value, whether they are reversed."""
    left, op, right = comparison
    names = [type(side).__name__ == "Variable" for side in (left, right)]
    if names[0] == names[1]:
        return None, op.value, None, False
    variable, value = (left, right) if names[0] else (right, left)
    return variable.value, op.value, value.value, names[1]


def refused(comparison):
    left, _, right = comparison
    variable, op, _, is_reversed = sides(comparison)
    if type(left).__name__ == "Variable" and left.value in SETS:
        return True
    if type(left).__name__ == "Value" and variable in SETS:
        return op not in ("in", "not in")
    return op == "===" and variable is not None and variable != "extra" and variable not in VERSIONS


def listed(comparison, env):
    """(uv's answer, True) where the list has the comparison, else (None, False). None is: ignored."""
    variable, op, value, is_reversed = sides(comparison)
    if variable is None:
        return None, True
    if variable == "extra":
        if op not in ("==", "!="):
            return None, True
        return (op == "!=", True) if value == "" else (None, False)
    if variable in SETS:
        return op == "not in", True
    left, right = env[variable], value
    if is_reversed:
        left, right = right, left
    if variable in VERSIONS:
        if op == "===":
            try:
                Specifier("===" + right)
            except InvalidSpecifier:
                return (False if is_reversed else None), True
            return version(right) is not None and version(left) == version(right), True
        if op == "~=":
            try:
                Specifier("~=" + right)
            except InvalidSpecifier:
                return (False if is_reversed else None), True
        return None, False
    if op == "~=":
        return None, True
    if op == "in":
        return left in right, True
    if op == "not in":
        return left not in right, True
    return {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op], True


def evaluate(tree, env):
    """The truth of a tree, or None if all of it is ignored."""
    terms, factors = [], []
    for item in tree + ["or"]:
        if item == "or":
            factors = [f for f in factors if f is not None]
            if factors:
                terms.append(all(factors))
            factors = []
        elif isinstance(item, list):
            factors.append(evaluate(item, env))
        elif isinstance(item, tuple):
            answer, by_uv = listed(item, env)
            factors.append(answer if by_uv else _evaluate_markers([item], env))
    return any(terms) if terms else None


def ask(marker, env):
    """[the answer, whether packaging says otherwise or nothing]"""
    plain = dict(env)
    running = dict(env)
    for key in ("python_version", "python_full_version"):
        release = version(env[key].removesuffix("+"))
        if release is not None:
            running[key] = release.base_version
        if env[key].endswith("+"):
            plain[key] += "local"
    answer = evaluate(marker._markers, running)
    answer = True if answer is None else answer
    try:
        says = _evaluate_markers(marker._markers, plain | {"extras": frozenset(), "dependency_groups": frozenset()})
    except (UndefinedComparison, KeyError):
        says = None
    return [answer, says != answer]


def read_marker(text):
    try:
        marker = Marker(text.replace("\\", "\\\\"))
    except InvalidMarker:
        return None
    if any(refused(c) for c in comparisons(marker._markers)):
        return None
    return marker


def read_requirement(text):
    try:
        r = Requirement(text.replace("\\", "\\\\") if ";" in text and "@" not in text else text)
    except InvalidRequirement:
        return None
    if any(name.endswith("_") for name in [r.name, *r.extras]):
        return None
    if r.marker is not None and any(refused(c) for c in comparisons(r.marker._markers)):
        return None
    specs = []
    for s in r.specifier:
        base = s.version.removesuffix(".*")
        v = version(base)
        specs.append(s.operator + (s.version if v is None else str(v) + s.version[len(base):]))
    return {
        "Name": canonicalize_name(r.name),
        "Extras": sorted({canonicalize_name(e) for e in r.extras}),
        "Specifiers": sorted(specs),
        "URL": r.url or "",
    }


def main():
    q = json.load(sys.stdin)
    markers = [read_marker(text) for text in q["Markers"]]
    answers = []
    for marker, envs in zip(markers, q["Ask"]):
        answers.append([] if marker is None else [ask(marker, q["Envs"][i]) for i in envs])
    json.dump(
        {
            "Valid": [m is not None for m in markers],
            "Answers": answers,
            "Requirements": [read_requirement(text) for text in q["Requirements"]],
        },
        sys.stdout,
    )


main()
