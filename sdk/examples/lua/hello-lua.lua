-- SPDX-License-Identifier: Apache-2.0
-- Calls, jobs, events, timers, files, settings and a secret.  The tests run it in a real node.

assert(#cairn.secret("hello") == 32)
cairn.log("info", "greeting " .. #cairn.list("names") .. " names")

local heard = ""
local ticks = 0
cairn.every(0.05, function() ticks = ticks + 1 end)

cairn.on_call("hello-lua.greet", function(request)
    return cairn.config("greeting") .. " " .. table.concat(cairn.list("names"), ", ")
end)

-- Waits for another plugin's answer while other calls go on.
cairn.on_call("hello-lua.relay", function(request)
    return "it says: " .. cairn.call("hello-sh.greet", request.body, 10)
end)

-- The job is on disk when this is answered.
cairn.on_call("hello-lua.later", function(request)
    cairn.put("hello-lua", request.body, request.body)
    return "accepted"
end)

cairn.on_job("hello-lua", function(job)
    if job.attempt == 1 then error("try again") end
    assert(cairn.write_file("last", job.body))
end)

cairn.on_call("hello-lua.last", function(request)
    local last = cairn.read_file("last") or cairn.fail("ENOTFOUND", "no job was done yet")
    return last .. " " .. heard .. " " .. (ticks > 0 and "ticking" or "still")
end)

cairn.on_event("hello-py.*", function(subject, body) heard = body end)

cairn.on_check(function(serving)
    if cairn.config("greeting") == "nothing" then
        cairn.finding("warning", "the greeting is 'nothing'", "callers will wonder", "set greeting")
    end
end)

cairn.on_health(function()
    cairn.finding("fine", "greets with '" .. cairn.config("greeting") .. "'")
end)
