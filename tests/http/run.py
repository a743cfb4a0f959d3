"""HTTP and command-line tests: python3 tests/http/run.py build/release/brisk [--only WORD]

Starts the server on a free port with the demo models, the golden models and a folder of damaged
ones, asks it everything the tables hold, and ends it with SIGTERM, which must exit with 0. Standard
library only. The last line is `N passed, N failed`.
"""
import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import damaged
import driver
import harness
import test_answers
import test_chats
import test_command_line
import test_connections
import test_inputs
import test_lifecycle
import test_mixed
import test_models
import test_packed
import test_routes
import test_translation

assert all((test_answers, test_chats, test_command_line, test_connections, test_inputs, test_lifecycle,
            test_mixed, test_models, test_packed, test_routes, test_translation))  # imported for the tests they register


class Context:
    """What the tests share."""

    def __init__(self, binary, server, folder):
        self.binary, self.server, self.folder = binary, server, folder
        self.client = server.client()


def ends_well(context):
    """After all that; sanitizers report leaks by the exit code."""
    context.server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--only", default="", help="run the tests with this in their name")
    args = parser.parse_args()
    binary = args.binary.resolve()
    if not binary.exists():
        raise SystemExit(f"{binary} is not there: make builds it")
    with tempfile.TemporaryDirectory(prefix="brisk-http-") as folder:
        damaged.make_all(pathlib.Path(folder))
        folders = (driver.MODELS, driver.GOLDEN, folder)
        with driver.Server(binary, folders, ["--precision", "fp32"]) as server:
            context = Context(binary, server, pathlib.Path(folder))
            harness.TESTS.append(("the server of all these tests ends well", ends_well))
            fine = harness.run(context, args.only)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
