// The leaderboard of a contest: a file of results, the best first.

import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "@gradus/cli";
import { writeFileAtomic } from "gradus/node";

export interface Entry {
  readonly player: string;
  /** On the held-out images, 0 to 1. */
  readonly accuracy: number;
  /** The budget. */
  readonly minutes: number;
  /** What it took. */
  readonly seconds: number;
  readonly epochs: number;
  readonly seed: number;
}

interface DatedEntry extends Entry {
  /** When, in ISO 8601. */
  readonly date: string;
}

const byAccuracy = (a: Entry, b: Entry): number => b.accuracy - a.accuracy || a.seconds - b.seconds;

/** Adds a result. @returns all results @throws UsageError if the file is no leaderboard */
export async function enter(file: string, entry: Entry): Promise<readonly DatedEntry[]> {
  const known = await read(file);
  const board = [...known, { ...entry, date: new Date().toISOString() }].sort(byAccuracy);
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomic(file, new TextEncoder().encode(`${JSON.stringify(board, null, 2)}\n`));
  return board;
}

/** @throws UsageError if there is such a file and it is no leaderboard: better before the contest than after */
export async function checkLeaderboard(file: string): Promise<void> {
  await read(file);
}

async function read(file: string): Promise<readonly DatedEntry[]> {
  if (!existsSync(file)) return [];
  try {
    const board: unknown = JSON.parse(await readFile(file, "utf8"));
    if (Array.isArray(board) && board.every((entry) => typeof entry?.accuracy === "number")) return board;
    throw new Error("it is no list of results");
  } catch (cause) {
    const remedy = "Mend it, or give another file with --leaderboard.";
    throw new UsageError(`${file} is no leaderboard (${(cause as Error).message}). ${remedy}`, { cause });
  }
}

const SHOWN = 10;

/** The best results of a budget as lines of text. */
export function standings(board: readonly DatedEntry[], minutes: number): string {
  const rows = board.filter((entry) => entry.minutes === minutes).slice(0, SHOWN);
  const lines = rows.map(({ player, accuracy, seconds, epochs, date }, i) => {
    const place = String(i + 1).padStart(3);
    return `${place}  ${(100 * accuracy).toFixed(2)}%  ${player.padEnd(16)} ${epochs} epochs, ${seconds} s, ${date.slice(0, 10)}`;
  });
  return [`Leaderboard, ${minutes} minutes:`, ...lines].join("\n");
}
