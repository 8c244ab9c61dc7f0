// In which ranges the options of optimizers may be, as tables by option.

import { ArgumentError } from "../tensor/index.ts";

/** Numbers from `low` up to `high`; `high` itself is in only if that is said. */
export interface Range {
  /** The least number, which is in the range. */
  readonly low: number;
  /** Where the range ends. */
  readonly high: number;
  /** Whether `high` itself is in the range. Default false. */
  readonly includesHigh?: boolean;
}

/** Ranges by option. Of a list of numbers each must be in the range. */
export type Ranges = { readonly [option: string]: Range };

/** 0 or more. */
export const nonNegative: Range = { low: 0, high: Number.POSITIVE_INFINITY };
/** How much of a running mean stays: 0 to 1, but not all of it. */
export const share: Range = { low: 0, high: 1 };
/** From 0 to 1, both included. */
export const unit: Range = { low: 0, high: 1, includesHigh: true };

const isIn = (value: number, { low, high, includesHigh = false }: Range): boolean =>
  value >= low && (value < high || (includesHigh && value === high));

function describe({ low, high, includesHigh = false }: Range): string {
  if (high === Number.POSITIVE_INFINITY) return `${low} or more`;
  return includesHigh ? `from ${low} to ${high}` : `from ${low} up to but excluding ${high}`;
}

/**
 * @param operation what the options are of
 * @throws ArgumentError naming the first option that is out of its range
 */
export function checkRanges(operation: string, options: Readonly<Record<string, unknown>>, ranges: Ranges): void {
  for (const [name, range] of Object.entries(ranges)) {
    const given = options[name];
    const values: readonly (readonly [string, unknown])[] = Array.isArray(given)
      ? given.map((value, i) => [`${name}[${i}]`, value] as const)
      : [[name, given]];
    for (const [label, value] of values) {
      if (!isIn(value as number, range)) {
        throw new ArgumentError(operation, `${label} is ${String(value)}`, `Use a number ${describe(range)}.`);
      }
    }
  }
}
