// What the bench says: a table for people and one object for programs.

import type { Outcome } from "./contest.ts";
import type { Options } from "./options.ts";
import { gigaflops, median, minimum } from "./statistics.ts";
import { type PeerName, peerNames, workloads } from "./workloads.ts";

/** Figures of one contestant; times in milliseconds a step. */
export interface Figures {
  readonly median_ms: number;
  readonly min_ms: number;
  readonly first_ms: number;
  readonly gflops: number;
}

export interface PeerFigures extends Figures {
  readonly version: string;
  readonly threads: number;
}

/** The object of `--json`. Figures are null where Gradus did not run, a peer is null where it could not. */
export interface Summary {
  readonly workload: string;
  readonly device: string;
  readonly codegen: string;
  readonly threads: number;
  readonly median_ms: number | null;
  readonly min_ms: number | null;
  readonly first_ms: number | null;
  readonly gflops: number | null;
  /** Empty without `--peers`. */
  readonly peers: Readonly<Partial<Record<PeerName, PeerFigures | null>>>;
}

export type Outcomes = ReadonlyMap<string, Outcome>;

export const gradusName = "gradus";

const round = (value: number) => Number(value.toPrecision(5));

function figures(outcome: Outcome & { kind: "measured" }, flops: number): Figures {
  const middle = median(outcome.times);
  return {
    median_ms: round(middle),
    min_ms: round(minimum(outcome.times)),
    first_ms: round(outcome.ready.firstMs),
    gflops: round(gigaflops(flops, middle)),
  };
}

export function summarize(options: Options, outcomes: Outcomes): Summary {
  const flops = workloads[options.workload].flopsPerStep(options.sizes);
  const gradus = outcomes.get(gradusName);
  const measured = gradus?.kind === "measured" ? gradus : undefined;
  const own = measured ? figures(measured, flops) : undefined;
  const peers: Partial<Record<PeerName, PeerFigures | null>> = {};
  for (const name of peerNames) {
    const outcome = outcomes.get(name);
    if (outcome?.kind === "absent") peers[name] = null;
    if (outcome?.kind !== "measured") continue;
    const { version, threads } = outcome.ready;
    peers[name] = { ...figures(outcome, flops), version, threads };
  }
  return {
    workload: options.workload,
    device: options.device,
    codegen: measured?.ready.codegen ?? options.codegen,
    threads: measured?.ready.threads ?? options.threads,
    median_ms: own?.median_ms ?? null,
    min_ms: own?.min_ms ?? null,
    first_ms: own?.first_ms ?? null,
    gflops: own?.gflops ?? null,
    peers,
  };
}

const columns = ["", "version", "threads", "median ms", "min ms", "first ms", "GFLOP/s", "x gradus"] as const;

/** The table, with a line below for whoever computed other numbers than the first contestant. */
export function renderTable(options: Options, outcomes: Outcomes): string {
  const flops = workloads[options.workload].flopsPerStep(options.sizes);
  const reference = outcomes.get(gradusName);
  const referenceMedian = reference?.kind === "measured" ? median(reference.times) : undefined;

  const cells = [...outcomes].map(([name, outcome]) => {
    if (outcome.kind === "absent") return [name, `absent: ${outcome.reason}`];
    const { median_ms, min_ms, first_ms, gflops } = figures(outcome, flops);
    const ratio = referenceMedian === undefined ? "-" : readable(median_ms / referenceMedian);
    const { version, threads } = outcome.ready;
    return [name, version, String(threads), ...[median_ms, min_ms, first_ms, gflops].map(readable), ratio];
  });
  // The reason of an absence runs over the columns and must not widen them.
  const aligned = [columns as readonly string[], ...cells.filter((row) => row.length === columns.length)];
  const widths = columns.map((_, column) => Math.max(...aligned.map((row) => row[column]!.length)));
  widths[0] = Math.max(...cells.map((row) => row[0]!.length));
  const lines = [columns as readonly string[], ...cells].map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return [title(options, summarize(options, outcomes)), ...lines, ...disagreements(outcomes)].join("\n");
}

function title({ workload, sizes, rounds }: Options, { device, codegen, threads }: Summary): string {
  const names = { size: "size", batchSize: "batch size" } as const;
  const scale = Object.entries(sizes).map(([name, value]) => `${names[name as keyof typeof names]} ${value}`);
  return `${workload}: ${workloads[workload].summary}\n${[...scale, device, codegen, `${threads} threads`, `${rounds} rounds`].join(", ")}`;
}

/** Four digits are enough to compare by. */
function readable(value: number): string {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

/**
 * Losses and products may differ in the last digits, by the order of summation. A thousandth is far more than that and
 * far less than another model, optimizer or learning rate would make.
 */
const agreement = 1e-3;

function disagreements(outcomes: Outcomes): string[] {
  const measured = [...outcomes].flatMap(([name, outcome]) =>
    outcome.kind === "measured" && outcome.ready.check.length > 0 ? [{ name, check: outcome.ready.check }] : [],
  );
  const [first, ...others] = measured;
  if (!first) return [];
  return others
    .filter(({ check }) => check.some((value, index) => differs(value, first.check[index])))
    .map(
      ({ name, check }) =>
        `${name} computes something else: ${check.join(", ")}; ${first.name} ${first.check.join(", ")}`,
    );
}

function differs(value: number, reference: number | undefined): boolean {
  return reference !== undefined && !(Math.abs(value - reference) <= agreement * Math.abs(reference));
}
