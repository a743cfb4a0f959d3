"""The packed cache, as its user sees it: flags, log, metrics, and the same answers."""
import os
import pathlib
import subprocess
import tempfile

import driver
from harness import equal, test, true

WRITER = "brisk/tiny-writer"
PARAMETERS = {"do_sample": False, "max_new_tokens": 5}


def packed(folder):
    return [path for path in pathlib.Path(folder).iterdir() if path.suffix == ".packed"]


def answer_of(context, *options):
    """The writer's answer, the server's metrics once nothing more is stored, and its output."""
    with driver.Server(context.binary, options=options) as server:
        answer = server.client().run(WRITER, "ROMEO", PARAMETERS)
        equal(answer.status, 200, answer.body)
        if "none" not in options:
            done = ("brisk_packed_stored_total", "brisk_packed_hits_total")
            true(server.wait_for(lambda: any(server.metrics()[name] for name in done)), "neither stored nor found")
        metrics = server.metrics()
        server.stop()
        return answer.json, metrics, server.output()


@test
def second_start_maps_what_the_first_packed(context):
    with tempfile.TemporaryDirectory() as folder:
        options = ("--cache-dir", os.path.join(folder, "a/b"))
        plain, metrics, _ = answer_of(context, "--cache-dir", "none")
        true("brisk_packed_hits_total" not in metrics, "figures without a cache")
        first, metrics, output = answer_of(context, *options)
        equal((metrics["brisk_packed_hits_total"], metrics["brisk_packed_stored_total"]), (0, 1), "first start")
        true("packed cache" not in output, output)
        second, metrics, output = answer_of(context, *options)
        equal((metrics["brisk_packed_hits_total"], metrics["brisk_packed_misses_total"]), (1, 0), "second start")
        true("from the packed cache" in output, output)
        equal((first, second), (plain, plain), "answers")


@test
def damaged_file_is_told_and_written_anew(context):
    with tempfile.TemporaryDirectory() as folder:
        first, _, _ = answer_of(context, "--cache-dir", folder)
        path, = packed(folder)
        equal(path.stat().st_mode & 0o777, 0o400, "mode")
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
        second, metrics, output = answer_of(context, "--cache-dir", folder)
        equal((metrics["brisk_packed_damaged_total"], metrics["brisk_packed_stored_total"]), (1, 1), "figures")
        true("is damaged" in output and "WARN" in output.upper(), output)
        equal(second, first, "answers")
        equal(path.read_bytes() == whole, True, "written anew")


@test
def limit_is_kept(context):
    with tempfile.TemporaryDirectory() as folder, driver.Server(
            context.binary, options=("--cache-dir", folder, "--cache-size", "100K")) as server:
        equal(server.client().run(WRITER, "ROMEO", PARAMETERS).status, 200, "answer")
        true(server.wait_for(lambda: "--cache-size" in server.output()), "not told")
        equal(packed(folder), [], "files")


@test
def command_line_uses_it_too(context):
    with tempfile.TemporaryDirectory() as folder:
        command = [context.binary, "run", "--models", str(driver.MODELS), "--cache-dir", folder, WRITER, "ROMEO",
                   "--parameters", '{"do_sample": false, "max_new_tokens": 5}']
        first, second = (subprocess.run(command, capture_output=True, check=True) for _ in range(2))
        equal(len(packed(folder)), 1, "files")
        equal((second.stdout, second.stderr), (first.stdout, b""), "second run")


@test
def folder_follows_the_environment(context):
    with tempfile.TemporaryDirectory() as folder:
        command = [context.binary, "run", "--models", str(driver.MODELS), WRITER, "ROMEO"]
        for variables, path in (({"XDG_CACHE_HOME": folder + "/x"}, "x/brisk"),
                                ({"XDG_CACHE_HOME": "", "HOME": folder}, ".cache/brisk")):
            subprocess.run(command, capture_output=True, check=True, env=os.environ | variables)
            equal(len(packed(os.path.join(folder, path))), 1, path)


@test
def memory_is_the_packed_weights_and_little_more(context):
    """On the start that packs and on the one that maps; sanitizers have memory of their own."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            with driver.Server(context.binary, options=("--cache-dir", folder)) as server:
                equal(server.client().run(WRITER, "ROMEO", PARAMETERS).status, 200, "answer")
                true(server.wait_for(lambda: packed(folder)), "nothing stored")
                most = 1.1 * packed(folder)[0].stat().st_size + 60e6
                if server.slow == 1:
                    true(server.rss_bytes() <= most, f"{server.rss_bytes()} bytes resident, at most {most:.0f}")


@test
def data_folder_holds_it_when_there_is_one(context):
    with tempfile.TemporaryDirectory() as folder:
        answer_of(context, "--data-dir", folder)
        equal(len(packed(os.path.join(folder, "packed"))), 1, "files")
