// What a run has learned as a file of half-precision numbers: small enough to ship, and read back by `loadSafetensors`.

import type { nn } from "gradus";
import { saveSafetensors } from "gradus/node";
import type { Run } from "./run.ts";

/** Writes `weights.safetensors` to the run's folder, with where it comes from as metadata. */
export async function saveWeights(
  run: Run,
  model: nn.AnyModule,
  facts: Readonly<Record<string, string | number | undefined>>,
  name = "weights",
): Promise<void> {
  const known = Object.entries({ recipe: run.name, ...run.options, ...facts }).filter(
    ([, value]) => value !== undefined,
  );
  const metadata = { format: "pt", ...Object.fromEntries(known.map(([key, value]) => [key, String(value)])) };
  await saveSafetensors(run.path(`${name}.safetensors`), model.stateDict(), { dtype: "float16", metadata });
}
