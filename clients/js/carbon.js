/**
 * Says which kind of carbon report a page works with, and adds that to its requests.
 *
 * Every request under /api/v1/modules/ is about the Calculator, Simulator_Explore or Simulator_Plan report of a unit
 * and year. The parameter carbon_project_type (0, 1, 2) says which one. Without it the Calculator's rows are read and
 * written, so a simulation page that forgets it changes the real report.
 *
 * This file needs nothing else and can be copied as it is. carbon.d.ts beside it is for TypeScript.
 */

const PARAMETER = "carbon_project_type";

/** The names of the routes that are not the Calculator's. */
const TYPE_OF_NAME = new Map([
  ["simulation-explore", 1],
  ["simulation-plan", 2],
]);

// Paths begin with language, unit and year. The print page of an exploration reads by the report's id only.
const EXPLORE = /^\/[a-z]{2}\/[^/]+\/\d{4}\/simulation\/explore\/(?!print\/?$)[^/]+\/?$/i;
const PLAN = /^\/[a-z]{2}\/[^/]+\/\d{4}\/simulation\/plan\/[^/]+\/?$/i;

// Not modules-stats, and not carbon-reports/<id>/modules: there the report itself says its type.
const MODULES = /\/api\/v1\/modules\//;

/** @type {typeof import("./carbon.d.ts").carbonProjectTypeOf} */
export function carbonProjectTypeOf(route) {
  const named = TYPE_OF_NAME.get(/** @type {string} */ (route?.name));
  if (named !== undefined) return /** @type {1 | 2} */ (named);
  const path = route?.path ?? "";
  return EXPLORE.test(path) ? 1 : PLAN.test(path) ? 2 : 0;
}

/** @type {typeof import("./carbon.d.ts").withCarbonProjectType} */
export function withCarbonProjectType(getRoute) {
  return async (request) => {
    // Asked before anything is waited for: a page that is left meanwhile does not change what it has sent.
    const url = withType(request.url, getRoute);
    return url === undefined ? undefined : copyOf(request, url);
  };
}

/** @type {typeof import("./carbon.d.ts").fetchWithCarbonProjectType} */
export function fetchWithCarbonProjectType(getRoute, fetch = globalThis.fetch) {
  return async (input, init) => {
    const isRequest = input instanceof Request;
    const url = withType(isRequest ? input.url : input, getRoute);
    return url === undefined ? fetch(input, init) : fetch(isRequest ? await copyOf(input, url) : url, init);
  };
}

/**
 * The URL with the type of the route, or undefined where nothing is to be added. The type 0 is added too: so a request
 * that is sent again, after the user went from a page of the Calculator to a simulation, stays the Calculator's.
 *
 * @param {string | URL} sent
 * @param {() => import("./carbon.d.ts").Route | null | undefined} getRoute
 * @returns {string | undefined}
 */
function withType(sent, getRoute) {
  let url;
  try {
    url = new URL(sent, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    // fetch says best what is wrong with it.
    return undefined;
  }
  if (!MODULES.test(url.pathname) || url.searchParams.has(PARAMETER)) return undefined;
  // Not by searchParams.set, which would write the rest of the query anew.
  url.search += `${url.search === "" ? "?" : "&"}${PARAMETER}=${carbonProjectTypeOf(getRoute())}`;
  return url.href;
}

/**
 * The request with another URL. `new Request(url, request)` would do in node only: it makes a stream of the body, which
 * Chromium does not send over HTTP/1.1, and Firefox loses. So the body is read and given again.
 *
 * @param {Request} request
 * @param {string} url
 * @returns {Promise<Request>}
 */
async function copyOf(request, url) {
  const {
    method,
    headers,
    mode,
    credentials,
    cache,
    redirect,
    referrer,
    referrerPolicy,
    integrity,
    keepalive,
    signal,
  } = request;
  const mayHaveBody = method !== "GET" && method !== "HEAD";
  const bytes = mayHaveBody ? await request.arrayBuffer() : undefined;
  return new Request(url, {
    method,
    headers,
    body: bytes?.byteLength ? bytes : undefined,
    mode,
    credentials,
    cache,
    redirect,
    referrer,
    referrerPolicy,
    integrity,
    keepalive,
    signal,
  });
}
