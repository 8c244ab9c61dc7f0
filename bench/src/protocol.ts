// What the harness and a contestant say to each other: lines of text over the child's stdin and stdout.
//
//   child   {"ready": true, "version": "1.13.0", "threads": 2, "first_ms": 12.5, "check": [2.31, 2.29]}
//   parent  run 20
//   child   {"times": [1.25, 1.22, ...]}            milliseconds, one for each step, results forced
//   parent  memory
//   child   {"peak_mb": 412.5}                      the most memory it ever had resident, in millions of bytes
//   child   {"error": "..."}                        instead of an answer; the child then ends
//
// The job is the child's first argument, as JSON. Closing stdin ends the child. Lines that are no message are skipped,
// for libraries greet their users on stdout.

import type { Sizes, WorkloadName } from "./workloads.ts";

/** What a contestant is to do, `backend` being for frameworks that are several contestants. */
export interface Job extends Sizes {
  readonly workload: WorkloadName;
  readonly device: string;
  readonly codegen: string;
  readonly threads: number;
  readonly backend?: string;
}

export interface Ready {
  readonly kind: "ready";
  readonly version: string;
  readonly threads: number;
  /** Milliseconds of the very first step, compilation included. */
  readonly firstMs: number;
  /**
   * A number that tells what was computed, after the first and after the second step: the loss, or the mean magnitude
   * of a product. Every contestant starts from the same numbers, so these must agree.
   */
  readonly check: readonly number[];
  /** What code the framework runs, where it has a choice. */
  readonly codegen?: string;
}

export type Message =
  | Ready
  | { readonly kind: "times"; readonly times: readonly number[] }
  | { readonly kind: "memory"; readonly peakMb: number }
  | { readonly kind: "error"; readonly reason: string };

/** What the parent asks for. */
export type Order = { readonly kind: "run"; readonly steps: number } | { readonly kind: "memory" };

export function formatOrder(order: Order): string {
  return order.kind === "run" ? `run ${order.steps}\n` : "memory\n";
}

/** The order in a parent's line; undefined for any other line. */
export function parseOrder(line: string): Order | undefined {
  const [, steps, memory] = /^(?:run (\d+)|(memory))\s*$/.exec(line) ?? [];
  if (steps !== undefined) return { kind: "run", steps: Number(steps) };
  return memory === undefined ? undefined : { kind: "memory" };
}

export function formatMessage(message: Message): string {
  switch (message.kind) {
    case "ready": {
      const { version, threads, firstMs, check, codegen } = message;
      return `${JSON.stringify({ ready: true, version, threads, first_ms: firstMs, check, codegen })}\n`;
    }
    case "times":
      return `${JSON.stringify({ times: message.times })}\n`;
    case "memory":
      return `${JSON.stringify({ peak_mb: message.peakMb })}\n`;
    case "error":
      return `${JSON.stringify({ error: message.reason })}\n`;
  }
}

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number" && Number.isFinite(item));

/** The message in a child's line; undefined for chatter. */
export function parseMessage(line: string): Message | undefined {
  if (!line.startsWith("{")) return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value.error === "string") return { kind: "error", reason: value.error };
  if (isNumbers(value.times)) return { kind: "times", times: value.times };
  if (typeof value.peak_mb === "number") return { kind: "memory", peakMb: value.peak_mb };
  const { ready, version, threads, first_ms: firstMs, check, codegen } = value;
  if (ready !== true || typeof firstMs !== "number" || typeof threads !== "number") return undefined;
  return {
    kind: "ready",
    version: String(version),
    threads,
    firstMs,
    // JSON has no NaN: a loss that is none arrives as null.
    check: Array.isArray(check) ? check.map((value) => (typeof value === "number" ? value : Number.NaN)) : [],
    ...(typeof codegen === "string" ? { codegen } : {}),
  };
}
