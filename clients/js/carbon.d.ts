/** What is read of a route. vue-router's `router.currentRoute.value` has it. */
export interface Route {
  readonly name?: string | symbol | null;
  /** Without the base of the application, as vue-router has it: `/en/12-lab-one/2025/simulation/explore/new`. */
  readonly path?: string;
}

/** 0 is Calculator, 1 Simulator_Explore, 2 Simulator_Plan. */
export type CarbonProjectType = 0 | 1 | 2;

/**
 * The type of the reports that a page works with. A name that is known decides, otherwise the path. Without a route,
 * as before the first navigation, it is 0.
 */
export declare function carbonProjectTypeOf(route: Route | null | undefined): CarbonProjectType;

/**
 * A hook for ky's `beforeRequest`. It adds `carbon_project_type` to requests under `/api/v1/modules/` that have none,
 * by the route at the time when the request is made. A retry keeps the type. Put it last: ky calls no further hook of
 * the list after one that returned a request.
 */
export declare function withCarbonProjectType(
  getRoute: () => Route | null | undefined,
): (request: Request) => Promise<Request | undefined>;

/**
 * The same for plain fetch: a function to be called instead of it. Do not give it to ky as `fetch`, which would ask
 * for the route again at a retry.
 */
export declare function fetchWithCarbonProjectType(
  getRoute: () => Route | null | undefined,
  fetch?: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>,
): (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
