"""Answers what packaging says of versions and specifiers; see differential_test.go.

Where uv decides, uv's rule is applied here with packaging's own versions, which
is a second statement of exceptions.go.
"""

import json
import re
import sys

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def parse(make, text, error):
    try:
        return make(text)
    except error:
        return None


def exception(spec, version):
    """What uv says of the pair where its rule is another than packaging's, else None."""
    if spec.operator == "===":
        wanted = parse(Version, spec.version, InvalidVersion)
        return wanted is not None and wanted == version
    if spec.operator not in ("<", ">"):
        return None
    wanted = Version(spec.version)
    if wanted.post is None or wanted.dev is not None:
        return None
    if spec.operator == ">":
        after = Version(re.sub(r"post\d+$", f"post{wanted.post + 1}", str(wanted)))
        return version >= after
    if wanted.pre is not None:
        return None
    base = Version(wanted.base_version)
    return version < Version(f"{base}.dev0") or base <= version < wanted


def contains(specs, version):
    holds, plain = True, True
    for spec in specs:
        answer = spec.contains(version, prereleases=True)
        plain = plain and answer
        other = exception(spec, version)
        holds = holds and (answer if other is None else other)
    return {"Holds": holds, "UV": holds != plain}


def main():
    q = json.load(sys.stdin)
    versions = [parse(Version, s, InvalidVersion) for s in q["Versions"]]
    specs = [parse(SpecifierSet, s, InvalidSpecifier) for s in q["Specs"]]
    compare = []
    for i, j in q["Compare"]:
        v, w = versions[i], versions[j]
        compare.append(0 if v is None or w is None else (v > w) - (v < w))
    answers = []
    for i, j in q["Contains"]:
        v, s = versions[i], specs[j]
        answers.append({} if v is None or s is None else contains(s, v))
    json.dump(
        {
            "Versions": [None if v is None else str(v) for v in versions],
            "Specs": [s is not None for s in specs],
            "Compare": compare,
            "Contains": answers,
        },
        sys.stdout,
    )


main()
