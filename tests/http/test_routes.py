"""Every row of src/server/routes.inc: right and wrong methods, absent models, headers of answers."""
import json
import re

import driver
from harness import equal, rows, test, true

SENTIMENT = "brisk/tiny-sentiment"
TEXT = "A warm, funny and wonderful film."


def read_routes():
    text = (driver.ROOT / "src/server/routes.inc").read_text(encoding="utf-8")
    found = re.findall(r'^ROUTE\((\w+), "([^"]+)"', text, re.MULTILINE)
    assert len(found) >= 7, found
    return found


ROUTES = read_routes()
PATHS = sorted({path for _, path in ROUTES})


def fill(path, model=SENTIMENT):
    return path.replace("{id}", model).replace("{task}", "text-classification")


def check_error(answer, status, *words):
    """Every error is a JSON object whose "error" says something."""
    equal(answer.status, status, f"status ({answer!r})")
    equal(answer.headers.get("content-type"), "application/json", "Content-Type")
    body = answer.json
    true(isinstance(body, dict) and isinstance(body.get("error"), str), f"not an error object: {body}")
    for word in words:
        true(word.lower() in body["error"].lower(), f"{word!r} is not in {body['error']!r}")


@rows([(f"{method} {path}", method, path) for method, path in ROUTES])
def route_answers(context, method, path):
    body = {"inputs": TEXT} if method == "POST" else None
    answer = context.client.call(method, fill(path), body)
    equal(answer.status, 200, f"status ({answer!r})")
    if path != "/metrics":
        equal(answer.headers.get("content-type"), "application/json", "Content-Type")
        json.loads(answer.body)
    true(answer.headers.get("x-request-id"), "no x-request-id")
    equal(answer.headers.get("access-control-allow-origin"), "*", "CORS")


@rows([(f"{method} {path}", method, path) for path in PATHS for method in ("GET", "POST", "PUT", "DELETE", "PATCH")
       if (method, path) not in ROUTES])
def wrong_method(context, method, path):
    answer = context.client.call(method, fill(path), b"{}" if method != "GET" else None)
    check_error(answer, 405, "Method Not Allowed")
    allowed = {m for m, p in ROUTES if p == path}
    true(allowed <= set(re.split(r",\s*", answer.headers.get("allow", ""))), f"Allow: {answer.headers.get('allow')}")


@rows([(f"{method} {path}", method, path) for method, path in ROUTES if "{id}" in path])
def absent_model(context, method, path):
    body = {"inputs": TEXT} if method == "POST" else None
    check_error(context.client.call(method, fill(path, "nobody/nothing"), body), 404, "nobody/nothing", "exist")


@rows([(path, path) for path in ("/", "/nothing", "/models", "/models/", "/model/x", "/status", "/pipeline/fill-mask",
                                 "/models/a/b/c", "/api/models/x")])
def unknown_path(context, path):
    check_error(context.client.call("GET", path), 404)
    true(context.client.call("POST", path, {"inputs": TEXT}).status in (404, 405), "POST")


@rows([(path, path) for path in (
    "/models/../models", "/models/../../etc/passwd", "/models/..%2f..%2fetc", "/models/%2e%2e/%2e%2e", "/models/.",
    "/models/brisk/..", "/models/%00", "/models/brisk%2F..%2Ftiny", "/models/" + "a" * 5000,
    "/models/brisk/tiny-sentiment%0d%0aX-Bad:1", "/models/a%ff", "/models/%zz", "/models/damaged/no-repository")])
def hostile_id(context, path):
    answer = context.client.call("POST", path, {"inputs": TEXT})
    true(answer.status in (400, 404, 414), f"status ({answer!r})")
    true("x-bad" not in answer.headers, "header injected")
    true("root:" not in answer.body.decode(errors="replace"), "a file leaked")


@test
def head_and_query(context):
    answer = context.client.call("HEAD", "/health")
    equal((answer.status, answer.body), (200, b""), "HEAD")
    equal(context.client.call("GET", "/health?x=1").status, 200, "query string")


@test
def slash_of_an_id_may_be_encoded(context):
    path = "/models/brisk%2Ftiny-sentiment"
    equal(context.client.call("POST", path, {"inputs": TEXT}).status, 200, "status")


@test
def preflight(context):
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "authorization, content-type"}
    answer = context.client.call("OPTIONS", f"/models/{SENTIMENT}", None, headers)
    true(answer.status in (200, 204), f"status {answer.status}")
    equal(answer.headers.get("access-control-allow-origin"), "*", "origin")
    true("POST" in answer.headers.get("access-control-allow-methods", ""), "methods")
    true("authorization" in answer.headers.get("access-control-allow-headers", "").lower(), "headers")


@test
def compute_headers(context):
    answer = context.client.run(SENTIMENT, "naïve 😀", headers={"x-use-cache": "false"})
    equal(answer.status, 200, "status")
    true(answer.headers["x-compute-type"] in ("cpu", "cpu+optimized"), answer.headers["x-compute-type"])
    true(0 <= float(answer.headers["x-compute-time"]) < 60, "x-compute-time")
    equal(answer.headers["x-compute-characters"], "7", "x-compute-characters")
    true("x-truncated-tokens" not in answer.headers, "nothing was truncated")


@test
def request_ids(context):
    ask = lambda headers: context.client.run(SENTIMENT, TEXT, headers=headers).headers["x-request-id"]
    equal(ask({"X-Request-Id": "my-own.id:7"}), "my-own.id:7", "x-request-id")
    equal(ask({"x-amzn-trace-id": "Root=1-abc"}), "Root=1-abc", "x-amzn-trace-id")
    true(ask({}) != ask({}), "made ids repeat")
    true(len(ask({"X-Request-Id": "x" * 3000})) < 300, "an endless id is echoed")


@test
def error_answers_have_ids_too(context):
    answer = context.client.call("GET", "/nothing", None, {"X-Request-Id": "e1"})
    equal(answer.headers["x-request-id"], "e1", "x-request-id")


@test
def cache(context):
    body = {"inputs": "Cached or not, a fine film."}
    path = f"/models/{SENTIMENT}"
    kinds = []
    for headers, more in (({}, {}), ({}, {}), ({"x-use-cache": "false"}, {}), ({}, {"options": {"use_cache": False}}),
                          ({}, {"options": {"use_cache": True}})):
        answer = context.client.call("POST", path, body | more, headers)
        kinds.append(answer.headers["x-compute-type"])
        equal(answer.json, first if len(kinds) > 1 else answer.json, "cached answer")
        first = answer.json
    equal([k == "cache" for k in kinds], [False, True, False, False, True], f"x-compute-type {kinds}")


@test
def model_info_and_status(context):
    info = context.client.call("GET", f"/models/{SENTIMENT}").json
    equal(info.get("id"), SENTIMENT, "id")
    equal(info.get("task") or info.get("pipeline_tag"), "text-classification", "task")
    status = context.client.call("GET", f"/status/{SENTIMENT}").json
    equal((status["loaded"], status["state"], status["framework"]), (True, "Loaded", "transformers"), "status")
    cold = context.client.call("GET", "/status/spare/cold").json
    equal((cold["loaded"], cold["state"]), (False, "Loadable"), "status of a cold model")


@test
def metrics_are_prometheus_text(context):
    answer = context.client.call("GET", "/metrics")
    true(answer.headers["content-type"].startswith("text/plain"), "Content-Type")
    sample = re.compile(r'^[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.eE+-]+(inf)?$', re.IGNORECASE)
    typed, seen = set(), set()
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif line and not line.startswith("#"):
            true(sample.match(line), f"no sample: {line!r}")
            true(line not in seen, f"twice: {line!r}")
            seen.add(line)
            name = re.split(r"[{ ]", line)[0]
            true(name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, f"no TYPE for {name}")
    before = context.server.metrics()
    context.client.run(SENTIMENT, "One more.", headers={"x-use-cache": "false"})
    after = context.server.metrics()
    grown = {name for name in after if after[name] > before.get(name, 0)}
    for name in ('brisk_requests_total{outcome="ok"}', "brisk_passes_total", "brisk_prompt_tokens_total"):
        true(name in grown, f"{name} did not grow")
