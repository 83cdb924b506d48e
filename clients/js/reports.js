/**
 * A client of the report routes: look what a rerun would change, rerun, undo, and show the last good result meanwhile.
 *
 * This file needs nothing else and can be copied as it is. reports.d.ts beside it is for TypeScript.
 */

/** How often a rerun is sent whose answer does not arrive. Its key makes it one rerun. */
const ATTEMPTS = 3;

/** The API, or something before it, refused a request or could not do it. */
export class ReportError extends Error {
  /**
   * @param {number} status
   * @param {{code?: string | null, reason?: string, hint?: string | null, retryAfter?: string | null}} told
   */
  constructor(status, { code = null, reason = "There is no more about it.", hint = null, retryAfter = null } = {}) {
    super(`${status}: ${reason}`);
    this.name = "ReportError";
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.hint = hint;
    this.retryAfter = retryAfter;
  }
}

/** @type {typeof import("./reports.d.ts").reportClient} */
export function reportClient({ url = "", token, fetch = globalThis.fetch } = {}) {
  const base = url.replace(/\/+$/, "");

  /**
   * The result of a request, out of its envelope.
   *
   * @param {string} method
   * @param {(string | number | bigint)[]} path
   * @param {{body?: object, headers?: Record<string, string>, attempts?: number}} [more]
   * @returns {Promise<any>}
   */
  async function ask(method, path, { body, headers = {}, attempts = 1 } = {}) {
    const bearer = typeof token === "function" ? await token() : token;
    /** @type {RequestInit} */
    const request = {
      method,
      headers: {
        ...headers,
        ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
        ...(body ? { "Content-Type": "application/json" } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    };
    const address = `${base}/${path.map((part) => encodeURIComponent(String(part))).join("/")}`;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return resultOf(await answerOf(await fetch(address, request)));
      } catch (error) {
        if (error instanceof ReportError || attempt >= attempts) throw error;
      }
    }
  }

  /** @type {import("./reports.d.ts").ReportClient} */
  const client = {
    preview: (country, report) => ask("GET", [country, "report", report, "rerun"]),

    rerun: (country, report, { idempotencyKey = randomKey(), reason, seen } = {}) =>
      ask("POST", [country, "report", report, "rerun"], {
        body: { reason, seen },
        headers: { "Idempotency-Key": idempotencyKey },
        attempts: ATTEMPTS,
      }),

    undo: (country, report, rerun, { force = false, reason } = {}) =>
      ask("POST", [country, "report", report, "reruns", rerun, "undo"], { body: { force, reason } }),

    runs: (country, report) => ask("GET", [country, "report", report, "runs"]),

    run: (country, report, sequence) => ask("GET", [country, "report", report, "runs", sequence]),

    async lastGoodResult(country, report) {
      for (const { run_sequence: sequence, status, has_output: hasOutput } of await client.runs(country, report)) {
        // A run that the application made by itself has no number here.
        if (sequence === null || status !== "complete" || !hasOutput) continue;
        const run = await client.run(country, report, sequence);
        // Between the two requests it may have been rerun, and its output purged.
        if (run.status === "complete" && run.output !== null) return { ...run, output: JSON.parse(run.output) };
      }
      return null;
    },
  };
  return client;
}

/** Not crypto.randomUUID, which a page that came over plain HTTP does not have. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * An answer that has arrived in full.
 *
 * @param {Response} response
 */
async function answerOf(response) {
  return { response, text: await response.text() };
}

/**
 * @param {{response: Response, text: string}} answer
 * @returns {any}
 */
function resultOf({ response, text }) {
  const retryAfter = response.headers.get("Retry-After");
  let envelope;
  try {
    envelope = JSON.parse(text);
  } catch {
    // A proxy or the server itself answered, and not the API.
    throw new ReportError(response.status, { reason: "The answer is not JSON.", retryAfter });
  }
  if (response.ok && envelope?.status === "ok") return envelope.result;
  throw new ReportError(response.status, {
    code: envelope?.code,
    // The message begins with the status, as in "404 Not Found: Report #1 not found."
    reason: envelope?.message?.replace(/^\d{3} [A-Za-z' -]+: /, ""),
    hint: envelope?.hint,
    retryAfter,
  });
}
