"""Making goldens, or checking that making them again gives the same files: what the scripts of this
folder do with --check. Prints what differs; the exit status is 1 when something does.

Files are the same when their bytes are. Answers in JSON may also differ by what rounding does to their
numbers: on another processor the reference's libraries add in another order.
"""
import filecmp
import json
import math
import pathlib
import sys
import tempfile


ROUNDING = 1e-5  # of numbers that are kept to six digits; tests allow 200 times as much


def same_values(a, b):
    """Whether two JSON values are equal but for the rounding of numbers that are no integers."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=ROUNDING)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same_values(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_values, a, b))
    return a == b


def same(made, kept):
    """Whether both are there and hold the same."""
    if not (made.exists() and kept.exists()):
        return False
    if filecmp.cmp(made, kept, shallow=False):
        return True
    if made.name != "cases.json":
        return False
    return same_values(*(json.loads(path.read_text(encoding="utf-8")) for path in (made, kept)))


def differences(made, kept, folders=("",)):
    """Paths of files that differ between two golden folders, or are in one of them only, below the
    given folders of both."""
    names = {path.relative_to(root) for root in (made, kept) for folder in folders
             for path in (root / folder).rglob("*") if path.is_file()}
    return [str(name) for name in sorted(names)
            if not same(made / name, kept / name)]


def report(found):
    for name in found:
        print("differs:", name)
    print("no difference" if not found else f"{len(found)} files differ")
    sys.exit(bool(found))


def make_or_check(check, make, out, folders=("",)):
    """`make(folder)` writes all goldens below a folder, which exists."""
    out = pathlib.Path(out)
    if not check:
        out.mkdir(parents=True, exist_ok=True)
        make(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "made"
        made.mkdir()
        make(made)
        found = differences(made, out, folders)
    report(found)
