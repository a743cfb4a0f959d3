"""What happens on the wire: kept and pipelined connections, chunked bodies, clients that are slow,
cut off or leave while their text is being written."""
import json
import socket
import struct
import threading

from harness import equal, test, true
from test_routes import SENTIMENT, TEXT

PATH = f"/models/{SENTIMENT}"
WRITER = "/models/brisk/tiny-writer"
LONG_JOB = {"inputs": "KING:", "parameters": {"do_sample": False, "max_new_tokens": 240, "min_new_tokens": 240,
                                             "num_beams": 8, "num_return_sequences": 8}}
STEPS = "brisk_steps_total"
CANCELLED = 'brisk_requests_total{outcome="cancelled"}'


def raw(context):
    return socket.create_connection(("127.0.0.1", context.server.port), timeout=60 * context.server.slow)


def request(path, body, *headers):
    data = json.dumps(body).encode() if not isinstance(body, bytes) else body
    head = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", *headers]
    if not any(h.lower().startswith(("content-length", "transfer-encoding")) for h in headers):
        head.append(f"Content-Length: {len(data)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + data


def read_answer(file):
    status = int(file.readline().split()[1])
    length = 0
    while True:
        line = file.readline().strip().lower()
        if not line:
            return status, file.read(length)
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])


def still_serves(context):
    equal(context.server.client().run(SENTIMENT, TEXT).status, 200, "the next request")


@test
def connection_is_kept(context):
    client = context.server.client()
    client.call("GET", "/health")
    before = client.connection.sock
    for i in range(100):
        equal(client.run(SENTIMENT, f"number {i}").status, 200, "status")
    true(client.connection.sock is before, "the connection was closed in between")
    client.close()


@test
def kept_after_errors(context):
    client = context.server.client()
    client.call("GET", "/health")
    before = client.connection.sock
    for path, body in ((PATH, b"{"), ("/models/no/body", b"{}"), (PATH, b'{"inputs": 1'), ("/nothing", b"x" * 5000)):
        true(client.call("POST", path, body).status in (400, 404), path)
    true(client.connection.sock is before, "an error closed the connection")


@test
def pipelined_requests_answer_in_order(context):
    texts = [f"film number {i} is {'good' if i % 2 else 'bad'}" for i in range(8)]
    wanted = [context.client.run(SENTIMENT, text).json for text in texts]
    with raw(context) as sock:
        sock.sendall(b"".join(request(PATH, {"inputs": text}) for text in texts))
        file = sock.makefile("rb")
        got = [read_answer(file) for _ in texts]
    equal([status for status, _ in got], [200] * 8, "status")
    equal([json.loads(body) for _, body in got], wanted, "answers")


@test
def chunked_body(context):
    data = json.dumps({"inputs": TEXT}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + 7]), data[i:i + 7]) for i in range(0, len(data), 7))
    with raw(context) as sock:
        sock.sendall(request(PATH, chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked"))
        status, body = read_answer(sock.makefile("rb"))
    equal((status, json.loads(body)), (200, context.client.run(SENTIMENT, TEXT).json), "answer")


@test
def expect_continue(context):
    data = json.dumps({"inputs": TEXT}).encode()
    with raw(context) as sock:
        sock.sendall(request(PATH, b"", "Expect: 100-continue", f"Content-Length: {len(data)}"))
        file = sock.makefile("rb")
        true(b"100" in file.readline(), "no 100 Continue")
        file.readline()
        sock.sendall(data)
        equal(read_answer(file)[0], 200, "status")


@test
def body_in_drops(context):
    whole = request(PATH, {"inputs": TEXT})
    with raw(context) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(whole), 3):
            sock.sendall(whole[i:i + 3])
        equal(read_answer(sock.makefile("rb"))[0], 200, "status")


@test
def old_http(context):
    data = json.dumps({"inputs": TEXT}).encode()
    with raw(context) as sock:
        sock.sendall(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (PATH.encode(), len(data), data))
        file = sock.makefile("rb")
        equal(read_answer(file)[0], 200, "status")
        equal(file.read(), b"", "HTTP/1.0 ends with the connection")


@test
def broken_requests(context):
    for data in (b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                 b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n" % PATH.encode(),
                 b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n{" % PATH.encode(),
                 b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % PATH.encode(),
                 b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200000 + b"\r\n\r\n"):
        with raw(context) as sock:
            sock.settimeout(context.server.slow)  # half a request may be waited for: that is an answer, too
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                answer = sock.recv(4096)
            except OSError:
                answer = b""
            true(answer == b"" or b" 200 " not in answer.split(b"\r\n")[0], f"{data[:60]!r} got {answer[:80]!r}")
    still_serves(context)


@test
def body_cut_off(context):
    for _ in range(20):
        with raw(context) as sock:
            sock.sendall(request(PATH, b'{"inputs": "a', "Content-Length: 5000"))
    still_serves(context)


@test
def gone_before_the_answer(context):
    """Reset (not only closed) right after sending, many times."""
    for i in range(50):
        sock = raw(context)
        sock.sendall(request(PATH, {"inputs": f"gone {i}"}, "x-use-cache: false"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    true(context.server.wait_for(lambda: context.server.metrics()["brisk_queued_items"] == 0), "work is left over")
    still_serves(context)


@test
def leaving_stops_the_work(context):
    """Clients that leave while their beams are searched: far fewer steps are made than they asked for."""
    clients = 24
    asked = clients * 8 * 240
    before = context.server.metrics()
    socks = [raw(context) for _ in range(clients)]
    for i, sock in enumerate(socks):
        body = LONG_JOB | {"inputs": f"KING {i}:"}
        sock.sendall(request(WRITER, body, "x-use-cache: false"))
    made = lambda: context.server.metrics()[STEPS] - before[STEPS]
    # A request that is not read yet when its client leaves is never begun, so it cannot be cancelled.
    taken = lambda: context.server.metrics()["brisk_requests_active"]
    true(context.server.wait_for(lambda: taken() >= clients and made() > 0), "the work did not begin")
    for sock in socks:
        sock.close()
    quiet = lambda: taken() == 0
    true(context.server.wait_for(quiet), "work of those who left goes on")
    gone = context.server.metrics()
    true(gone[CANCELLED] - before[CANCELLED] >= clients / 2, f"cancelled: {gone[CANCELLED] - before[CANCELLED]}")
    true(made() < asked / 2, f"{made()} of {asked} steps were made")
    still_serves(context)


@test
def idle_connections_do_not_block(context):
    idle = [raw(context) for _ in range(200)]
    still_serves(context)
    for sock in idle:
        sock.close()


@test
def half_closed_client_gets_its_answer(context):
    """shutdown(SHUT_WR) after the request is legal; the answer must still come or the work be cancelled cleanly."""
    with raw(context) as sock:
        sock.sendall(request(PATH, {"inputs": "half closed"}))
        sock.shutdown(socket.SHUT_WR)
        sock.makefile("rb").read()
    still_serves(context)


@test
def hundred_connections(context):
    wrong = []

    def ask(i):
        client = context.server.client()
        for j in range(5):
            answer = client.run(SENTIMENT, f"connection {i} request {j}")
            if answer.status != 200:
                wrong.append(answer)
        client.close()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    true(not wrong, f"{len(wrong)} failed: {wrong[:1]}")
