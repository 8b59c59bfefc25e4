-- wrk script: one GPU is asked for, then one that was given is released, by turns. Arguments: paths of both, a token.
local held, counts = {}, {granted = 0, failed = 0}
local ask, give, headers = "", "", {["Content-Type"] = "application/json"}

function init(args)
    ask, give = args[1], args[2]
    if args[3] and args[3] ~= "" then headers["Authorization"] = "token " .. args[3] end
end

local turn = false
function request()
    turn = not turn
    if not turn and #held > 0 then
        return wrk.format("POST", give, headers, '{"uuid": "' .. table.remove(held) .. '"}')
    end
    return wrk.format("POST", ask, headers, "{}")
end

function response(status, _, body)
    if status == 201 then
        held[#held + 1] = body:match('"uuid"%s*:%s*"([^"]+)"')
    elseif status ~= 200 and status ~= 409 then
        io.stderr:write("status ", status, ": ", body:sub(1, 200), "\n")
    end
end

function done(summary, latency)
    io.write(string.format('{"requests": %d, "seconds": %f, "errors": %d, "p99_ms": %f, "median_ms": %f}\n',
        summary.requests, summary.duration / 1e6,
        summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout +
            summary.errors.status,
        latency:percentile(99) / 1e3, latency:percentile(50) / 1e3))
end
