"""Damaged repositories: each is refused with a text that names what is wrong, and nothing else
suffers. The damage is described in damaged.py."""
import damaged
from harness import equal, rows, test, true
from test_routes import SENTIMENT, TEXT, check_error


@rows(damaged.ROWS)
def damaged_repository(context, damage, words):
    name = next(row[0] for row in damaged.ROWS if row[1] is damage)
    model = f"damaged/{name}"
    answer = context.client.run(model, TEXT)
    status = 404 if name in damaged.ABSENT else 500
    check_error(answer, status, *words)
    true(str(context.folder) not in answer.body.decode(), f"the server's own path is told: {answer!r}")
    equal(context.client.run(model, TEXT).status, status, "asked again")
    true(context.client.call("GET", f"/status/{model}").status in (200, 404, 500), "status route")
    equal(context.client.run(SENTIMENT, TEXT).status, 200, "another model")


@test
def not_a_repository(context):
    check_error(context.client.run("damaged/no-repository", TEXT), 404, "damaged/no-repository")


@test
def refused_models_hold_no_memory(context):
    before = context.server.metrics()["brisk_models_loaded"]
    for name, _, _ in damaged.ROWS[:10]:
        context.client.run(f"damaged/{name}", TEXT)
    equal(context.server.metrics()["brisk_models_loaded"], before, "models loaded")
