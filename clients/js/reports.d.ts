/** An id is a bigint or a text where it may be larger than 2^53. */
export type Id = number | bigint | string;

/** A cache scope that was emptied, for caches outside the database. */
export interface CacheScope {
  country_id: string;
  baseline_policy_id: number;
  reform_policy_id: number;
  region: string;
  dataset: string;
  time_period: string;
  api_version: string;
}

/** A row that a rerun would change or keep, or the defect because of which it would be refused. */
export interface Touched {
  /** A reference is a table of the application whose rows would be lost; it has no id and no status. */
  kind: "report" | "simulation" | "reform_impact" | "reference";
  id: number | null;
  status: string | null;
  action: string;
  output_bytes: number;
  shared_with: number[];
  errcode: string | null;
  message: string | null;
  hint: string | null;
  /** In the entry of the report itself: the token of this preview, for a rerun. */
  seen: string | null;
}

export interface Rerun {
  rerun_id: number;
  report_id: number;
  report_type: "household" | "geography";
  run_sequence: number;
  simulation_ids: number[];
  economy_cache_rows_deleted: number;
  cache_scopes: CacheScope[];
  same_key_report_ids: number[];
  shown_report_id: number;
}

export interface Undone {
  undo_id: number;
  rerun_id: number;
  report_id: number;
  report_type: "household" | "geography" | null;
  run_sequence: number;
  simulation_ids: number[];
  economy_cache_rows_restored: number;
  cache_scopes: CacheScope[];
}

/** A run of a report, as the history lists it; the HTTP reference has its other fields. */
export interface ListedRun {
  run_sequence: number | null;
  is_current: boolean;
  status: string;
  had_output: boolean;
  has_output: boolean;
  error_message: string | null;
  started_by: string | null;
  rerun_id: number | null;
  started_at: string | null;
  ended_at: string | null;
  [field: string]: unknown;
}

export interface Run {
  report_id: number;
  country_id: string;
  run_sequence: number;
  is_current: boolean;
  api_version: string;
  status: string;
  had_output: boolean;
  /** JSON text. */
  output: string | null;
  error_message: string | null;
}

/** A run whose output is there, parsed. */
export interface GoodResult extends Omit<Run, "output"> {
  output: unknown;
}

/** Each method throws ReportError when the API refuses, and what fetch throws when nobody answers. */
export interface ReportClient {
  /** What a rerun would change now. A report that cannot be rerun has one entry, with its defect. */
  preview(country: string, report: Id): Promise<Touched[]>;
  /**
   * Puts the report back to pending. It is sent again, at most twice, when the answer does not arrive; the key makes
   * it one rerun. Without a key of the caller's each call has a random one. The reason is kept in the history. With
   * `seen`, the token of a preview, it is refused (RR029) when something has moved since.
   */
  rerun(
    country: string,
    report: Id,
    options?: { idempotencyKey?: string; reason?: string; seen?: string },
  ): Promise<Rerun>;
  /** Puts back what that rerun cleared, as a new run. `force` overwrites what is newer. */
  undo(country: string, report: Id, rerun: Id, options?: { force?: boolean; reason?: string }): Promise<Undone>;
  /** The runs, newest first, the current one included. */
  runs(country: string, report: Id): Promise<ListedRun[]>;
  run(country: string, report: Id, sequence: Id): Promise<Run>;
  /** The newest run that is complete and has its output still, or null: what to show while a new one is computed. */
  lastGoodResult(country: string, report: Id): Promise<GoodResult | null>;
}

export interface Options {
  /** Where the API is, such as `https://reports.example.org`. Without it, where the page is. */
  url?: string;
  /** A JSON Web Token, or what gives one for each request. */
  token?: string | (() => string | Promise<string>);
  fetch?: (input: string, init?: RequestInit) => Promise<Response>;
}

export declare function reportClient(options?: Options): ReportClient;

export declare class ReportError extends Error {
  constructor(
    status: number,
    told?: { code?: string | null; reason?: string; hint?: string | null; retryAfter?: string | null },
  );
  /** Of HTTP. */
  readonly status: number;
  /** The SQLSTATE of the refusal, such as RR001, or the name of the status. */
  readonly code: string | null;
  /** A sentence for people. */
  readonly reason: string;
  /** What to do, where the API says it. */
  readonly hint: string | null;
  /** The header Retry-After of a 503. */
  readonly retryAfter: string | null;
}
