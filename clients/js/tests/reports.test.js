// Somebody writes a page that reruns reports, against the API with its sample, as `make run` starts it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ReportError, reportClient } from "../reports.js";
import { api, losingProxy, pgreprise, recorder } from "./support/servers.js";

const program = pgreprise();
const absent = program === undefined && "there is no .venv/bin/pgreprise; `make run` or `make test` installs it";
if (absent && process.env.PGREPRISE_NO_SKIPS === "1") throw new Error(`PGREPRISE_NO_SKIPS=1 allows no skip: ${absent}`);

// Report 4 of the sample compares two policies for New York and is complete; report 5 shares a simulation with it.
describe("the API with its sample", { skip: absent }, () => {
  /** @type {Awaited<ReturnType<typeof api>>} */
  let running;
  /** @type {import("../reports.d.ts").ReportClient} */
  let reports;
  before(async () => {
    running = await api(/** @type {string} */ (program));
    reports = reportClient({ url: `${running.url}/` });
  });
  after(() => running?.stop());

  test("a preview shows what a rerun would change and changes nothing", async () => {
    const touched = await reports.preview("us", 4);
    assert.deepEqual(
      touched.slice(0, 3).map(({ kind, id, action }) => [kind, id, action]),
      [
        ["report", 4, "pending, as run 2"],
        ["simulation", 5, "pending, as run 2"],
        ["simulation", 6, "pending, as run 2"],
      ],
    );
    assert.deepEqual(
      (await reports.runs("us", 4)).map(({ run_sequence: run }) => run),
      [1],
    );
  });

  test("the last good result is shown before a rerun, during it, and as a new run after the undo", async () => {
    const output = { budget: { budgetary_impact: -2500000000 }, poverty: { change: -0.011 } };
    const before = await reports.lastGoodResult("us", 4);
    assert.deepEqual([before?.run_sequence, before?.is_current, before?.output], [1, true, output]);

    const rerun = await reports.rerun("us", 4, { reason: "the model was fixed" });
    assert.equal((await reports.runs("us", 4))[0]?.reason, "the model was fixed");
    assert.deepEqual([rerun.report_id, rerun.run_sequence, rerun.simulation_ids], [4, 2, [5, 6]]);
    assert.equal((await reports.run("us", 4, 2)).status, "pending");
    const during = await reports.lastGoodResult("us", 4);
    assert.deepEqual([during?.run_sequence, during?.is_current, during?.output], [1, false, output]);

    const undone = await reports.undo("us", 4, rerun.rerun_id);
    assert.equal(undone.run_sequence, 3);
    const after = await reports.lastGoodResult("us", 4);
    assert.deepEqual([after?.run_sequence, after?.is_current, after?.output], [3, true, output]);
  });

  test("a rerun with the token of a preview is refused when something has moved since", async () => {
    const [{ seen }] = /** @type {[{seen: string}]} */ (await reports.preview("us", 2));
    const { run_sequence: run } = await reports.rerun("us", 2, { seen });
    const refused = await errorOf(reports.rerun("us", 2, { seen }));
    assert.equal(refused.code, "RR029");
    assert.match(refused.reason, new RegExp(`run ${run - 1} -> ${run}`));
  });

  test("a report that was never computed has no good result", async () => {
    const { id } = await created(running.url, { simulation_1_id: 5, simulation_2_id: 7, year: "2031" });
    assert.equal(await reports.lastGoodResult("us", id), null);
  });

  test("a rerun with a key is done once, however often it is sent", async () => {
    const first = await reports.rerun("us", 5, { idempotencyKey: "one" });
    assert.deepEqual(await reports.rerun("us", 5, { idempotencyKey: "one" }), first);
    const other = await reports.rerun("us", 5);
    assert.equal(other.run_sequence, first.run_sequence + 1);
  });

  test("a rerun whose answer is lost is sent again, and is done once", async (context) => {
    const proxy = await losingProxy(running.url, 2);
    context.after(proxy.close);
    const before = await reports.runs("uk", 3);
    const rerun = await reportClient({ url: proxy.url }).rerun("uk", 3);
    const after = await reports.runs("uk", 3);
    assert.equal(after.length, before.length + 1);
    assert.equal(after[0]?.run_sequence, rerun.run_sequence);
  });

  test("an undo whose answer is lost is not sent again: its caller has to look first", async (context) => {
    const { rerun_id: rerun } = await reports.rerun("uk", 3);
    const proxy = await losingProxy(running.url, 1);
    context.after(proxy.close);
    await assert.rejects(() => reportClient({ url: proxy.url }).undo("uk", 3, rerun), TypeError);
    const [newest] = await reports.runs("uk", 3);
    assert.equal(typeof newest?.restores_run, "number");
  });

  test("a refusal is an error with the status, the code, the reason and what to do", async () => {
    const refused = await errorOf(reports.rerun("us", 999));
    assert.equal(refused.message, "404: Report #999 not found.");
    const { status, code, reason, hint } = refused;
    assert.deepEqual([status, code, reason], [404, "RR001", "Report #999 not found."]);
    assert.match(String(hint), /^Check the id and the country/);

    const { rerun_id: rerun } = await reports.rerun("us", 4);
    await reports.rerun("us", 4);
    const newer = await errorOf(reports.undo("us", 4, rerun));
    assert.deepEqual([newer.status, newer.code], [409, "RR010"]);
    assert.equal((await reports.undo("us", 4, rerun, { force: true, reason: "the newer one was wrong" })).rerun_id, rerun);
  });

  test("what a caller puts into a path stays one part of it", async () => {
    const refused = await errorOf(reports.runs("us/report/4/rerun?", 4));
    assert.equal(refused.status, 404);
  });

  test("an id beyond the numbers of JavaScript is sent as it is", async () => {
    const { reason } = await errorOf(reports.preview("us", 9223372036854775807n));
    assert.equal(reason, "Report #9223372036854775807 not found.");
  });
});

test("a token, or what gives one, is sent with each request", async (context) => {
  const server = await recorder(() => 200);
  context.after(server.close);
  let number = 0;
  for (const token of ["fixed", async () => `token ${(number += 1)}`]) {
    const reports = reportClient({ url: `${server.url}/`, token });
    await errorOf(reports.runs("us", 1));
    await errorOf(reports.rerun("us", 1, { idempotencyKey: "key" }));
  }
  assert.deepEqual(
    server.requests.map(({ headers }) => headers.authorization),
    ["Bearer fixed", "Bearer fixed", "Bearer token 1", "Bearer token 2"],
  );
  assert.deepEqual(
    server.requests.map(({ headers }) => headers["idempotency-key"]),
    [undefined, "key", undefined, "key"],
  );
  assert.deepEqual(
    server.requests.slice(2).map(({ url }) => url),
    ["/us/report/1/runs", "/us/report/1/rerun"],
  );
});

test("the last good result is looked for in runs that can have one, and is none that was just purged", async () => {
  const listed = [
    { run_sequence: 5, status: "pending", has_output: false },
    { run_sequence: 4, status: "error", has_output: true },
    { run_sequence: null, status: "complete", has_output: true },
    { run_sequence: 3, status: "complete", has_output: false },
    { run_sequence: 2, status: "complete", has_output: true },
    { run_sequence: 1, status: "complete", has_output: true },
  ];
  /** @type {string[]} */
  const asked = [];
  const { lastGoodResult } = reportClient({
    fetch: async (url) => {
      asked.push(url);
      const run = { run_sequence: Number(url.slice(-1)), status: "complete", output: url.endsWith("/2") ? null : "{}" };
      return Response.json({ status: "ok", message: null, result: url.endsWith("/runs") ? listed : run });
    },
  });
  assert.equal((await lastGoodResult("us", 4))?.run_sequence, 1);
  assert.deepEqual(asked, ["/us/report/4/runs", "/us/report/4/runs/2", "/us/report/4/runs/1"]);
});

test("each rerun without a key of the caller's has one of its own", async (context) => {
  const server = await recorder(() => 200);
  context.after(server.close);
  const reports = reportClient({ url: server.url });
  await errorOf(reports.rerun("us", 1));
  await errorOf(reports.rerun("us", 1));
  const [first, second] = server.requests.map(({ headers }) => String(headers["idempotency-key"]));
  assert.match(String(first), /^[0-9a-f]{32}$/);
  assert.notEqual(first, second);
});

test("an answer that is not the API's is an error with its status, and a refused rerun is not sent again", async () => {
  let sent = 0;
  const reports = reportClient({
    url: "http://127.0.0.1",
    fetch: async () => {
      sent += 1;
      return new Response("<h1>Bad Gateway</h1>", { status: 502, headers: { "Retry-After": "5" } });
    },
  });
  const { status, code, hint, retryAfter, reason } = await errorOf(reports.rerun("us", 1));
  assert.deepEqual([status, code, hint, retryAfter, reason], [502, null, null, "5", "The answer is not JSON."]);
  assert.equal(sent, 1);
});

/**
 * @param {Promise<unknown>} promise
 * @returns {Promise<ReportError>}
 */
async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ReportError, String(error));
    return error;
  }
  return assert.fail("it was not refused");
}

/**
 * A new report.
 *
 * @param {string} url
 * @param {object} report
 */
async function created(url, report) {
  const answer = await fetch(`${url}/us/report`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(report),
  });
  return (await answer.json()).result;
}
