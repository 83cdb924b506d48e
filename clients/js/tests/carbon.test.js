// A page of the application sends requests with ky or fetch, from routes like the application's.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import ky from "ky";
import { createMemoryHistory, createRouter } from "vue-router";
import { carbonProjectTypeOf, fetchWithCarbonProjectType, withCarbonProjectType } from "../carbon.js";
import { recorder } from "./support/servers.js";

const component = {};
const unitAndYear = "/:language(en|fr)/:unit/:year(\\d{4})";
const routes = [
  { path: `${unitAndYear}/simulation/explore/print`, name: "simulation-explore-print", component },
  { path: `${unitAndYear}/simulation/explore/:id`, name: "simulation-explore", component },
  { path: `${unitAndYear}/simulation/plan/:id`, name: "simulation-plan", component },
  { path: `${unitAndYear}/simulation`, name: "simulation", component },
  { path: `${unitAndYear}/results`, name: "results", component },
  { path: `${unitAndYear}/:module`, name: "module", component },
];

const MODULE = "/en/12-lab-one/2025/headcount";
const EXPLORE = "/en/12-lab-one/2025/simulation/explore/new";
const PLAN = "/en/12-lab-one/2025/simulation/plan/3";

/** @type {[string, string, number][]} */
const PAGES = [
  [MODULE, "module", 0],
  ["/en/12-lab-one/2025/results", "results", 0],
  ["/en/12-lab-one/2025/simulation", "simulation", 0],
  [EXPLORE, "simulation-explore", 1],
  ["/fr/12-simulation/2025/simulation/explore/new/", "simulation-explore", 1],
  ["/en/12-lab-one/2025/simulation/explore/print", "simulation-explore-print", 0],
  [PLAN, "simulation-plan", 2],
];

const router = createRouter({ history: createMemoryHistory(), routes });
const getRoute = () => router.currentRoute.value;

describe("the type of a page", () => {
  for (const [path, name, type] of PAGES) {
    test(`of ${path} is ${type}, by its name and by its path`, async () => {
      await router.push(path);
      assert.equal(getRoute().name, name);
      assert.equal(carbonProjectTypeOf(getRoute()), type);
      assert.equal(carbonProjectTypeOf({ path: getRoute().path }), type);
      assert.equal(carbonProjectTypeOf({ name: "a name of another application", path: getRoute().path }), type);
    });
  }

  test("is told by the name first", () => {
    assert.equal(carbonProjectTypeOf({ name: "simulation-explore", path: "/elsewhere" }), 1);
    assert.equal(carbonProjectTypeOf({ name: "simulation-plan", path: EXPLORE }), 2);
  });

  test("is 0 without a route, and before the first navigation", () => {
    const fresh = createRouter({ history: createMemoryHistory(), routes });
    assert.equal(carbonProjectTypeOf(fresh.currentRoute.value), 0);
    assert.equal(carbonProjectTypeOf(undefined), 0);
    assert.equal(carbonProjectTypeOf(null), 0);
    assert.equal(carbonProjectTypeOf({ name: Symbol("simulation-explore") }), 0);
  });

  test("is not told by a part of a path", () => {
    assert.equal(carbonProjectTypeOf({ path: "/simulation/explore/new" }), 0);
    assert.equal(carbonProjectTypeOf({ path: `${EXPLORE}/more` }), 0);
    assert.equal(carbonProjectTypeOf({ path: `/admin${EXPLORE}` }), 0);
  });
});

/** @type {Awaited<ReturnType<typeof recorder>>} */
let server;
/** @type {number[]} The statuses of the first answers. */
let statuses;

beforeEach(async () => {
  statuses = [];
  server = await recorder(() => statuses.shift() ?? 200);
  await router.push(EXPLORE);
});
afterEach(() => server.close());

/** The application's client, with the hook. */
function client(hooks = {}) {
  return ky.create({
    prefixUrl: `${server.url}/api/v1/`,
    credentials: "include",
    retry: { limit: 1, statusCodes: [401], methods: ["get", "put", "post", "patch", "head", "delete", "options"] },
    hooks: { beforeRequest: [withCarbonProjectType(getRoute)], ...hooks },
  });
}

const sent = () => server.requests.map(({ method, url }) => `${method} ${url}`);

describe("ky", () => {
  test("sends a GET with its query as it was written, and the type", async () => {
    await client().get("modules/12/2025/headcount/member?page=1&filter=a%20b,c").json();
    await client().get("modules/12/2025/headcount").json();
    assert.deepEqual(sent(), [
      "GET /api/v1/modules/12/2025/headcount/member?page=1&filter=a%20b,c&carbon_project_type=1",
      "GET /api/v1/modules/12/2025/headcount?carbon_project_type=1",
    ]);
  });

  test("sends method, headers and JSON body of POST and PATCH with the type, and a DELETE without body", async () => {
    const json = { name: "Zoé", fte: 0.5, note: null };
    const headers = { "X-Mine": "kept" };
    await client().post("modules/12/2025/headcount/member", { json, headers }).json();
    await client().patch("modules/12/2025/headcount/member/7", { json, headers }).json();
    await client().delete("modules/12/2025/headcount/member/7", { headers });
    assert.deepEqual(sent(), [
      "POST /api/v1/modules/12/2025/headcount/member?carbon_project_type=1",
      "PATCH /api/v1/modules/12/2025/headcount/member/7?carbon_project_type=1",
      "DELETE /api/v1/modules/12/2025/headcount/member/7?carbon_project_type=1",
    ]);
    for (const request of server.requests) assert.equal(request.headers["x-mine"], "kept");
    for (const request of server.requests.slice(0, 2)) {
      assert.deepEqual(JSON.parse(request.body), json);
      assert.equal(request.headers["content-type"], "application/json");
      // A stream would have no length, and Chromium sends none over HTTP/1.1.
      assert.equal(request.headers["content-length"], String(Buffer.byteLength(request.body)));
      assert.equal(request.headers.accept, "application/json");
    }
    assert.equal(server.requests[2]?.body, "");
  });

  test("sends a POST again after a 401, with its body and with the type once", async () => {
    statuses = [401];
    let renewals = 0;
    const renewing = client({ beforeRetry: [() => void (renewals += 1)] });
    await renewing.post("modules/12/2025/headcount/member", { json: { fte: 1 } }).json();
    assert.equal(renewals, 1);
    const line = "POST /api/v1/modules/12/2025/headcount/member?carbon_project_type=1";
    assert.deepEqual(sent(), [line, line]);
    assert.deepEqual(
      server.requests.map(({ body }) => body),
      ['{"fte":1}', '{"fte":1}'],
    );
  });

  test("keeps the type of a request whose page was left while it was under way", async () => {
    for (const [from, to, type] of [
      [EXPLORE, MODULE, 1],
      [MODULE, EXPLORE, 0],
    ]) {
      await router.push(String(from));
      server.requests.length = 0;
      statuses = [401];
      const leaving = client({ beforeRetry: [async () => void (await router.push(String(to)))] });
      await leaving.post("modules/12/2025/headcount/member", { json: { fte: 1 } }).json();
      assert.equal(getRoute().path, to);
      const line = `POST /api/v1/modules/12/2025/headcount/member?carbon_project_type=${type}`;
      assert.deepEqual(sent(), [line, line]);
    }
  });

  test("asks for the route at each request, and not when the client is made", async () => {
    const made = client();
    for (const path of [MODULE, EXPLORE, PLAN]) {
      await router.push(path);
      await made.get("modules/12/2025/headcount").json();
    }
    assert.deepEqual(
      sent(),
      [0, 1, 2].map((type) => `GET /api/v1/modules/12/2025/headcount?carbon_project_type=${type}`),
    );
  });

  test("takes the page at the moment when its hook is called", async () => {
    let route = { name: "simulation-explore" };
    const hook = withCarbonProjectType(() => route);
    const post = { method: "POST", body: "{}" };
    const hooked = hook(new Request(`${server.url}/api/v1/modules/1/2025/headcount/member`, post));
    route = { name: "module" };
    assert.equal(new URL(String((await hooked)?.url)).search, "?carbon_project_type=1");
  });

  test("keeps everything else that a request says", async () => {
    /** @type {RequestInit} */
    const said = {
      method: "PATCH",
      mode: "same-origin",
      credentials: "include",
      cache: "no-store",
      redirect: "manual",
      referrerPolicy: "no-referrer",
      integrity: "sha256-abc",
      keepalive: true,
    };
    const request = new Request(`${server.url}/api/v1/modules/1/2025/headcount/member/7`, { ...said, body: "{}" });
    const copy = await withCarbonProjectType(getRoute)(request);
    for (const [name, value] of Object.entries(said))
      assert.equal(Reflect.get(/** @type {Request} */ (copy), name), value);
  });

  test("leaves every path alone that is not of the modules", async () => {
    const paths = [
      "modules-stats/5/emission-breakdown",
      "carbon-reports/5/modules/",
      "carbon-reports/5/modules/3/status?then=/api/v1/modules/1/2025/headcount",
      "carbon-reports/simulator/explore/unit/12/reference-year/2025/",
      "session",
    ];
    for (const path of paths) await client().get(path).json();
    await ky.get(`${server.url}/modules/1/2025/headcount`, {
      hooks: { beforeRequest: [withCarbonProjectType(getRoute)] },
    });
    assert.deepEqual(sent(), [...paths.map((path) => `GET /api/v1/${path}`), "GET /modules/1/2025/headcount"]);
  });

  test("leaves a parameter alone that is there, 0 too, from the path and from the option searchParams", async () => {
    await client().get("modules/12/2025/headcount?carbon_project_type=0").json();
    await client()
      .get("modules/12/2025/headcount", { searchParams: { carbon_project_type: 0 } })
      .json();
    assert.deepEqual(sent(), Array(2).fill("GET /api/v1/modules/12/2025/headcount?carbon_project_type=0"));
  });

  test("adds the type to the option searchParams, which replaces the query of the path", async () => {
    await client()
      .get("modules/12/2025/headcount?preview_limit=0", { searchParams: { page: 2 } })
      .json();
    assert.deepEqual(sent(), ["GET /api/v1/modules/12/2025/headcount?page=2&carbon_project_type=1"]);
  });

  test("calls the hooks that come before it, since one that returns a request is the last", async () => {
    const api = ky.create({
      prefixUrl: `${server.url}/api/v1/`,
      hooks: { beforeRequest: [(request) => request.headers.set("X-First", "called")] },
    });
    const extended = api.extend({ hooks: { beforeRequest: [withCarbonProjectType(getRoute)] } });
    await extended.get("modules/12/2025/headcount").json();
    assert.deepEqual(sent(), ["GET /api/v1/modules/12/2025/headcount?carbon_project_type=1"]);
    assert.equal(server.requests[0]?.headers["x-first"], "called");
  });

  test("can still end a request by a signal", async () => {
    const ending = new AbortController();
    ending.abort();
    await assert.rejects(() => client().get("modules/12/2025/headcount", { signal: ending.signal }).json(), {
      name: "AbortError",
    });
    const hook = withCarbonProjectType(getRoute);
    const later = new AbortController();
    const copy = await hook(new Request(`${server.url}/api/v1/modules/1/2025/headcount`, { signal: later.signal }));
    later.abort();
    assert.equal(copy?.signal.aborted, true);
    assert.deepEqual(sent(), []);
  });
});

describe("fetch", () => {
  test("is sent a text, a URL or a Request with the type", async () => {
    const send = fetchWithCarbonProjectType(getRoute);
    const url = `${server.url}/api/v1/modules/12/2025/headcount/member`;
    const post = { method: "POST", body: '{"fte":1}', headers: { "Content-Type": "application/json" } };
    await send(`${url}?page=1`);
    await send(new URL(url), post);
    await send(new Request(url, post));
    assert.deepEqual(sent(), [
      "GET /api/v1/modules/12/2025/headcount/member?page=1&carbon_project_type=1",
      "POST /api/v1/modules/12/2025/headcount/member?carbon_project_type=1",
      "POST /api/v1/modules/12/2025/headcount/member?carbon_project_type=1",
    ]);
    for (const request of server.requests.slice(1)) {
      assert.equal(request.body, '{"fte":1}');
      assert.equal(request.headers["content-type"], "application/json");
    }
  });

  test("is sent everything else as it is", async () => {
    /** @type {unknown[][]} */
    const calls = [];
    const send = fetchWithCarbonProjectType(getRoute, async (...call) => {
      calls.push(call);
      return new Response();
    });
    const init = { method: "GET" };
    const request = new Request(`${server.url}/api/v1/modules-stats/5/validated-totals`);
    const explicit = `${server.url}/api/v1/modules/12/2025/headcount?carbon_project_type=0`;
    await send(request, init);
    await send(explicit);
    await send("no address");
    assert.deepEqual(calls, [
      [request, init],
      [explicit, undefined],
      ["no address", undefined],
    ]);
  });

  test("of a page resolves an address by the page's", async (context) => {
    const page = globalThis.location;
    Object.defineProperty(globalThis, "location", {
      value: { href: "https://app.example.org/en/" },
      configurable: true,
    });
    context.after(() => Object.defineProperty(globalThis, "location", { value: page, configurable: true }));
    const send = fetchWithCarbonProjectType(getRoute, async (input) => new Response(String(input)));
    const answer = await send("/api/v1/modules/12/2025/headcount");
    assert.equal(await answer.text(), "https://app.example.org/api/v1/modules/12/2025/headcount?carbon_project_type=1");
  });
});
