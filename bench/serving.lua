-- What wrk sends for bench/serving.py, and how it tells what came of it.
-- Arguments: the content type, a file with one body a line.

local requests, at = {}, 0

function init(args)
    local headers = { ["Content-Type"] = args[1] }
    for body in io.lines(args[2]) do
        requests[#requests + 1] = wrk.format("POST", nil, headers, body)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}\n', summary.requests,
        summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
