"""The small test runner of the HTTP tests: functions marked @test take the shared server (or the
binary), each is one test; tables make one test a row. Nothing here knows what is tested.
"""
import os
import sys
import time
import traceback

TESTS = []


def test(function):
    """Registers function(context) under its name."""
    TESTS.append((function.__name__, function))
    return function


def rows(table):
    """Registers function(context, *row) once for each row, whose first element is its name."""
    def register(function):
        for row in table:
            name = f"{function.__name__}: {row[0]}"
            TESTS.append((name, lambda context, row=row: function(context, *row[1:])))
        return function
    return register


def equal(got, wanted, what="value"):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def true(condition, text):
    if not condition:
        raise AssertionError(text)


def run(context, only):
    passed, failed = 0, []
    for name, function in TESTS:
        if only and only not in name:
            continue
        began = time.monotonic()
        try:
            function(context)
            passed += 1
        except Exception:
            failed.append(name)
            print(f"FAIL  {name}")
            print("      " + traceback.format_exc().replace("\n", "\n      "))
            if context.server.process.poll() is not None:
                print("the server ended:", context.server.process.returncode)
                print(context.server.output())
                break
        took = time.monotonic() - began
        if took > 5:
            print(f"      {name} took {took:.0f} s")
    tally = os.environ.get("TESTS_TALLY")
    if tally:
        with open(tally, "a", encoding="ascii") as file:
            print(passed, len(failed), file=file)
    print(f"{passed} passed, {len(failed)} failed")
    sys.stdout.flush()
    return not failed
