-- SPDX-License-Identifier: Apache-2.0
-- For wrk: asks for random clusters, and says in one line of JSON what came of it.
--
--     wrk -s ask.lua URL -- CLUSTERS SEED kept|new

local requests = {}
local count

function init(args)
    count = tonumber(args[1])
    math.randomseed(tonumber(args[2]))
    local headers = {}
    if args[3] == "new" then
        headers["Connection"] = "close"
    end
    -- All are made beforehand: the generator has only one core.
    for i = 1, count do
        requests[i] = wrk.format("GET", string.format("/rocketmq/c%05d", i - 1), headers)
    end
end

function request()
    return requests[math.random(count)]
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format(
        '{"requests": %d, "us": %d, "failed": %d, "p50": %d, "p99": %d}\n', summary.requests,
        summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
