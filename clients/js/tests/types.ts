// Never run: tsc checks that the declarations fit ky, vue-router and a caller who writes TypeScript.
import ky from "ky";
import { createMemoryHistory, createRouter } from "vue-router";
import { carbonProjectTypeOf, fetchWithCarbonProjectType, withCarbonProjectType } from "pgreprise-client/carbon";
import { ReportError, reportClient } from "pgreprise-client/reports";

const router = createRouter({ history: createMemoryHistory(), routes: [] });
const getRoute = () => router.currentRoute.value;

ky.create({ hooks: { beforeRequest: [withCarbonProjectType(getRoute)] } });
export const sent: typeof fetch = fetchWithCarbonProjectType(getRoute);
export const type: 0 | 1 | 2 = carbonProjectTypeOf(getRoute());
// @ts-expect-error: a type is a number.
export const wrong: string = carbonProjectTypeOf(null);

export async function shown(): Promise<unknown> {
  const reports = reportClient({ url: "https://reports.example.org", token: async () => "token" });
  try {
    const { rerun_id } = await reports.rerun("us", 4, { idempotencyKey: "key" });
    await reports.undo("us", 4, rerun_id);
  } catch (error) {
    if (error instanceof ReportError) return [error.status, error.code, error.reason, error.hint];
  }
  return (await reports.lastGoodResult("us", 4n))?.output;
}
