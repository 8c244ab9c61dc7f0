// What a recipe is: a name, options, and what it trains. Everything around it (run folders, resuming, progress, reports) is
// `Run`'s, so that a recipe reads from top to bottom as what is being learned.

import type { Command } from "commander";
import type { Run } from "./run.ts";

/** Options that every recipe has. */
export interface CommonOptions {
  readonly seed: number;
  /** How many training images there are; all of them if undefined. */
  readonly limit?: number;
}

/** Plain values, which the run folder keeps so that a run goes on as it began. */
export type RecipeOptions = CommonOptions & Readonly<Record<string, string | number | boolean | undefined>>;

export interface Recipe<Options extends RecipeOptions = RecipeOptions> {
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  /** Adds the recipe's own options, with their defaults. */
  options(command: Command): Command;
  /** Trains, tells how it went through `run.say`, and leaves a report. */
  train(run: Run<Options>): Promise<void>;
}

/** A recipe whose options' types only it knows. */
export const recipe = <Options extends RecipeOptions>(given: Recipe<Options>): Recipe => given as unknown as Recipe;
