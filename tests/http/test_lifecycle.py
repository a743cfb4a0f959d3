"""Starting, loading and stopping, each with a server of its own."""
import http.client
import socket
import subprocess
import threading
import time

import driver
from harness import equal, rows, test, true

WRITER = "brisk/tiny-writer"


def long_job(server):
    """Work of a good while, but of less than the server's patience when it stops."""
    tokens = 200 if server.slow < 10 else 40
    return {"do_sample": False, "max_new_tokens": tokens, "min_new_tokens": tokens, "num_beams": 4}


def all_taken(server, results):
    """Whether every request is in the server's hands or answered: none may come to a closed door."""
    answered = sum(result is not None for result in results)  # before the queue: none counts twice
    return answered + server.metrics()["brisk_queued_items"] >= len(results)


def together(n, function):
    """n threads at once; their results in order."""
    results = [None] * n

    def call(i):
        try:
            results[i] = function(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    return threads, results


@test
def cold_model_is_held_and_loaded_once(context):
    with driver.Server(context.binary) as server:
        status = server.client().call("GET", f"/status/{WRITER}").json
        equal((status["loaded"], status["state"]), (False, "Loadable"), "before")
        threads, results = together(16, lambda i: server.client().run(WRITER, f"ROMEO {i}", {"max_new_tokens": 2}))
        for thread in threads:
            thread.join()
        equal([getattr(r, "status", r) for r in results], [200] * 16, "answers")
        equal(server.metrics()["brisk_model_loads_total"], 1, "loads")
        equal(server.client().call("GET", f"/status/{WRITER}").json["state"], "Loaded", "after")
        server.stop()


@test
def stops_at_once_when_idle(context):
    with driver.Server(context.binary) as server:
        kept = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        server.client().run(WRITER, "a", {"max_new_tokens": 2})
        began = time.monotonic()
        server.stop()
        true(time.monotonic() - began < 8 * server.slow, f"took {time.monotonic() - began:.1f} s")
        for sock in kept:
            sock.close()


@test
def running_requests_are_finished(context):
    """SIGTERM in the middle: all that were being answered get their whole answer, then exit 0."""
    with driver.Server(context.binary) as server:
        server.client().run(WRITER, "a", {"max_new_tokens": 2})
        threads, results = together(12, lambda i: server.client().run(WRITER, f"KING {i}:", long_job(server)))
        true(server.wait_for(lambda: all_taken(server, results)), "the work did not begin")
        server.terminate()
        for thread in threads:
            thread.join()
        equal(server.wait(60), 0, f"exit code ({server.output()})")
        for result in results:
            true(getattr(result, "status", None) in (200, 503), f"{result!r}")
            true(isinstance(result.json, (list, dict)), "half an answer")
        true(sum(r.status == 200 for r in results) >= 6, f"{[r.status for r in results]}")


def refuses(server):
    """Whether a new client is turned away, in words or by a closed door."""
    try:
        return server.client().call("GET", "/health").status == 503
    except (OSError, http.client.HTTPException):
        return True


@test
def no_new_work_while_stopping(context):
    with driver.Server(context.binary) as server:
        server.client().run(WRITER, "a", {"max_new_tokens": 2})
        late = server.client()
        late.call("GET", "/health")
        threads, results = together(8, lambda i: server.client().run(WRITER, f"QUEEN {i}:", long_job(server)))
        true(server.wait_for(lambda: all_taken(server, results)), "the work did not begin")
        server.terminate()
        server.wait_for(lambda: refuses(server))
        try:
            equal(late.run(WRITER, "late", {"max_new_tokens": 2}).status, 503, "status on a kept connection")
        except (OSError, http.client.HTTPException):
            pass  # closed is as good
        for thread in threads:
            thread.join()
        equal(server.wait(60), 0, f"exit code ({server.output()})")


@test
def two_signals(context):
    """A second SIGTERM must not crash it."""
    with driver.Server(context.binary) as server:
        together(4, lambda i: server.client().run(WRITER, f"{i}", long_job(server)))
        true(server.wait_for(lambda: server.metrics()["brisk_queued_items"] >= 1), "the work did not begin")
        server.terminate()
        server.terminate()
        equal(server.wait(60), 0, f"exit code ({server.output()})")


@rows([("port no number", ["--port", "http"]), ("port too large", ["--port", "70000"]),
       ("unknown option", ["--frobnicate"]), ("missing value", ["--port"]), ("host of nobody", ["--host", "256.1.1.1"]),
       ("precision unknown", ["--precision", "fp3"]), ("threads no number", ["--threads", "two"]),
       ("memory no size", ["--memory", "lots"]), ("speculate in doubt", ["--speculate", "perhaps"]),
       ("reuse in doubt", ["--prefix-reuse", "perhaps"]),
       ("folder missing", ["--models", "/nonexistent-folder"])])
def refuses_to_start(context, options):
    done = subprocess.run([context.binary, "serve", *options], capture_output=True, timeout=60 * context.server.slow,
                          stdin=subprocess.DEVNULL)
    true(done.returncode not in (0, -6, -11), f"exit code {done.returncode}")
    message = done.stderr.decode()
    true(message.strip() and options[-1].lstrip("-") in message, f"says {message!r}")


@test
def port_in_use(context):
    done = subprocess.run([context.binary, "serve", "--port", str(context.server.port), "--no-auth"],
                          capture_output=True, timeout=60 * context.server.slow, stdin=subprocess.DEVNULL)
    true(done.returncode != 0, "two servers on one port")
    true(str(context.server.port) in done.stderr.decode(), f"says {done.stderr!r}")


@test
def proposals_change_no_text(context):
    """A text that repeats itself has proposals kept, unless they are off, and says the same."""
    texts, kept = [], []
    for speculate in ("on", "off"):
        with driver.Server(context.binary, options=["--speculate", speculate]) as server:
            texts.append(server.client().run(WRITER, "KING: O, O, O, O, O, O", {"max_new_tokens": 120,
                                             "do_sample": False, "details": True}).json)
            metrics = server.metrics()
            kept.append((metrics["brisk_proposed_tokens_total"], metrics["brisk_accepted_tokens_total"]))
            server.stop()
    equal(texts[0], texts[1], "text")
    true(kept[0][0] >= kept[0][1] > 0, f"proposed and accepted: {kept[0]}")
    equal(kept[1], (0, 0), "with proposals off")


@test
def a_chat_is_read_on(context):
    """What goes on with an earlier text is read from its end, unless that is off, and says the same."""
    asked, said, reused = {"max_new_tokens": 24, "do_sample": False}, [], []
    for reuse in ("on", "off"):
        with driver.Server(context.binary, options=["--prefix-reuse", reuse]) as server:
            client, text = server.client(), "KING: What is the matter, that you are so sad?"
            for turn in range(3):
                text = client.run(WRITER, text, asked).json[0]["generated_text"] + f" And then, my lord {turn}?"
            said.append(text)
            reused.append(server.metrics()["brisk_reused_tokens_total"])
            server.stop()
    equal(said[0], said[1], "text")
    true(reused[0] > 2 * 16, f"reused: {reused[0]}")
    equal(reused[1], 0, "with reuse off")


@test
def little_memory_evicts(context):
    """With room for few models, many are served one after the other."""
    models = ["bert/text-classification", "distilbert/text-classification", "roberta/text-classification",
              "gpt2/text-classification", "bart/text-classification"]
    with driver.Server(context.binary, (driver.GOLDEN,), ["--memory", "16M"]) as server:
        client = server.client()
        for _ in range(2):
            for model in models:
                answer = client.run(model, "A film.", headers={"x-use-cache": "false"})
                true(answer.status in (200, 503), f"{model}: {answer!r}")
        true(server.metrics()["brisk_models_bytes"] <= 16 << 20, "over the limit")
        server.stop()
