// What arguments may be: parsers for commander that say what was expected.

import { existsSync, statSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { UsageError } from "./errors.ts";

export const HIGHEST_SEED = 2 ** 32 - 1;

/** A parser of integers within a range, bounds included. */
export function integer(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    const range = high === Number.MAX_SAFE_INTEGER ? `from ${low}` : `from ${low} to ${high}`;
    throw new InvalidArgumentError(`It must be an integer ${range}.`);
  };
}

/** A parser of numbers within a range, bounds included. */
export function numberFrom(low: number, high = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= low && value <= high) return value;
    const range = high === Number.POSITIVE_INFINITY ? `from ${low}` : `from ${low} to ${high}`;
    throw new InvalidArgumentError(`It must be a number ${range}.`);
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number above 0.");
}

/** The flag of an option's name: `--batch-size` for `batchSize`. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** @throws UsageError unless it is a folder */
export function checkFolder(flag: string, folder: string): void {
  if (!existsSync(folder)) throw new UsageError(`${flag} ${folder} does not exist. Give a folder that does.`);
  if (!statSync(folder).isDirectory()) throw new UsageError(`${flag} ${folder} is no folder. Give one.`);
}
