-- wrk: POST a rerun of report after report.
local first = tonumber(os.getenv("BENCH_FIRST"))
local count = 0

request = function()
  count = count + 1
  return wrk.format("POST", "/us/report/" .. (first + count) .. "/rerun")
end
