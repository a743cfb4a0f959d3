"""Making goldens, or checking that making them again gives the same bytes: what the scripts of this
folder do with --check. Prints what differs; the exit status is 1 when something does.
"""
import filecmp
import pathlib
import sys
import tempfile


def differences(made, kept, folders=("",)):
    """Paths of files that differ between two golden folders, or are in one of them only, below the
    given folders of both."""
    names = {path.relative_to(root) for root in (made, kept) for folder in folders
             for path in (root / folder).rglob("*") if path.is_file()}
    return [str(name) for name in sorted(names)
            if not ((made / name).exists() and (kept / name).exists()
                    and filecmp.cmp(made / name, kept / name, shallow=False))]


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
