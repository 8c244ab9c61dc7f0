// What the bench says: a table for people and one object for programs.

import type { Outcome } from "./contest.ts";
import { describePeaks, type Peaks } from "./machine/peaks.ts";
import type { WorkloadOptions } from "./options.ts";
import { gigabytes, gigaflops, median, minimum } from "./statistics.ts";
import { type PeerName, peerNames, workloads } from "./workloads.ts";

/** Figures of one contestant; times in milliseconds a step. */
export interface Figures {
  readonly median_ms: number;
  readonly min_ms: number;
  readonly first_ms: number;
  /** Null where arithmetic does not bound the workload. */
  readonly gflops: number | null;
  /** Null where memory does not bound the workload. */
  readonly gbs: number | null;
  /** How much of the machine's peak that bounds the workload was reached; null where the peaks are not known. */
  readonly peak_share: number | null;
  /** The most memory the process had resident, in millions of bytes. */
  readonly peak_mb: number;
}

export interface PeerFigures extends Figures {
  readonly version: string;
  readonly threads: number;
}

/**
 * The object of `--json`. Gradus's figures stand at the top, null where it did not run; a peer is null where it could not.
 */
export interface Summary extends Readonly<Record<keyof Figures, number | null>> {
  readonly workload: string;
  readonly device: string;
  readonly codegen: string;
  readonly threads: number;
  /** What the machine can do on as many threads, null where it could not be measured. */
  readonly peak_gflops: number | null;
  readonly peak_gbs: number | null;
  /** Whose peaks they are: the instructions and the size of the register tile. */
  readonly peak_tile: string | null;
  /** Empty without `--peers`. */
  readonly peers: Readonly<Partial<Record<PeerName, PeerFigures | null>>>;
}

export type Outcomes = ReadonlyMap<string, Outcome>;

export const gradusName = "gradus";

const round = (value: number) => Number(value.toPrecision(5));

/** What one step of a workload is counted in, and what the machine can do of it. */
interface Work {
  readonly flops?: number;
  readonly bytes?: number;
  readonly peaks?: Peaks;
}

function workOf({ workload, sizes }: WorkloadOptions, peaks: Peaks | undefined): Work {
  const { flopsPerStep, bytesPerStep } = workloads[workload];
  return { flops: flopsPerStep?.(sizes), bytes: bytesPerStep?.(sizes), peaks };
}

function figures({ times, ready, peakMb }: Outcome & { kind: "measured" }, { flops, bytes, peaks }: Work): Figures {
  const middle = median(times);
  const gflops = flops === undefined ? null : gigaflops(flops, middle);
  const gbs = bytes === undefined ? null : gigabytes(bytes, middle);
  // Of two bounds the one that is nearer is the one that counts.
  const share = peaks && Math.max((gflops ?? 0) / peaks.gflops, (gbs ?? 0) / peaks.gbs);
  return {
    median_ms: round(middle),
    min_ms: round(minimum(times)),
    first_ms: round(ready.firstMs),
    gflops: gflops && round(gflops),
    gbs: gbs && round(gbs),
    peak_share: share === undefined ? null : round(share),
    peak_mb: round(peakMb),
  };
}

const noFigures: Readonly<Record<keyof Figures, null>> = {
  median_ms: null,
  min_ms: null,
  first_ms: null,
  gflops: null,
  gbs: null,
  peak_share: null,
  peak_mb: null,
};

export function summarize(options: WorkloadOptions, outcomes: Outcomes, peaks?: Peaks): Summary {
  const work = workOf(options, peaks);
  const gradus = outcomes.get(gradusName);
  const measured = gradus?.kind === "measured" ? gradus : undefined;
  const peers: Partial<Record<PeerName, PeerFigures | null>> = {};
  for (const name of peerNames) {
    const outcome = outcomes.get(name);
    if (outcome?.kind === "absent") peers[name] = null;
    if (outcome?.kind !== "measured") continue;
    const { version, threads } = outcome.ready;
    peers[name] = { ...figures(outcome, work), version, threads };
  }
  return {
    workload: options.workload,
    device: options.device,
    codegen: measured?.ready.codegen ?? options.codegen,
    threads: measured?.ready.threads ?? options.threads,
    peak_gflops: peaks ? round(peaks.gflops) : null,
    peak_gbs: peaks ? round(peaks.gbs) : null,
    peak_tile: peaks?.tile ?? null,
    ...(measured ? figures(measured, work) : noFigures),
    peers,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;

/** The columns that hold figures: their titles and how they are written. */
const figureColumns: readonly (readonly [title: string, figure: keyof Figures, write: (value: number) => string])[] = [
  ["median ms", "median_ms", readable],
  ["min ms", "min_ms", readable],
  ["first ms", "first_ms", readable],
  ["GFLOP/s", "gflops", readable],
  ["GB/s", "gbs", readable],
  ["of peak", "peak_share", percent],
  ["peak MB", "peak_mb", (value) => value.toFixed(0)],
];

const columns: readonly string[] = ["", "version", "threads", ...figureColumns.map(([title]) => title), "x gradus"];

/** The table, with a line below for whoever computed other numbers than the first contestant. */
export function renderTable(options: WorkloadOptions, outcomes: Outcomes, peaks?: Peaks): string {
  const work = workOf(options, peaks);
  const reference = outcomes.get(gradusName);
  const referenceMedian = reference?.kind === "measured" ? median(reference.times) : undefined;

  const cells = [...outcomes].map(([name, outcome]) => {
    if (outcome.kind === "absent") return [name, `absent: ${outcome.reason}`];
    const own = figures(outcome, work);
    const ratio = referenceMedian === undefined ? "-" : readable(own.median_ms / referenceMedian);
    const { version, threads } = outcome.ready;
    const written = figureColumns.map(([, figure, write]) => {
      const value = own[figure];
      return value === null ? "-" : write(value);
    });
    return [name, version, String(threads), ...written, ratio];
  });
  // The reason of an absence runs over the columns and must not widen them.
  const aligned = [columns, ...cells.filter((row) => row.length === columns.length)];
  const widths = columns.map((_, column) => Math.max(...aligned.map((row) => row[column]!.length)));
  widths[0] = Math.max(...cells.map((row) => row[0]!.length));
  const lines = [columns, ...cells].map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  return [
    title(options, summarize(options, outcomes)),
    ...(peaks ? [describePeaks(peaks)] : []),
    ...lines,
    ...disagreements(outcomes),
  ].join("\n");
}

function title({ workload, sizes, rounds }: WorkloadOptions, { device, codegen, threads }: Summary): string {
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
