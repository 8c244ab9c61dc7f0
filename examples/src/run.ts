// One run of a recipe: its folder, its options, and training in it that goes on where it was interrupted. A recipe that trains
// several models keeps each in a folder of its own below the run's. Leans on gradus and @gradus/cli as any user does.

import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { flagOf, newRunFolder, type Output, UsageError } from "@gradus/cli";
import { manualSeed, nn, type Tensor, train } from "gradus";
import {
  INTERRUPTED,
  type ReportData,
  type ReportOptions,
  RunDirectory,
  renderReport,
  showProgress,
  stopOnInterrupt,
  writeFileAtomic,
} from "gradus/node";
import type { RecipeOptions } from "./recipe.ts";

/** Ctrl-C was pressed, and what there was is saved. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Training of one model. */
export interface FitPlan extends train.TrainerOptions {
  /** The folder below the run's. Default: the run's own. */
  readonly part?: string;
  readonly title: string;
  readonly loader: train.TrainLoader;
  readonly epochs: number;
  readonly evaluate?: AsyncIterable<readonly Tensor[]>;
  readonly classes?: readonly string[];
  /** The shape of one input, for the table of layers. */
  readonly inputShape?: readonly number[];
  readonly sections?: ReportOptions["sections"];
}

/** What the command line says about where a run is. */
export interface RunPlace {
  readonly runDir?: string;
  readonly resume?: string;
  readonly checkpointEvery?: number;
}

const OPTIONS_FILE = "options.json";

export class Run<Options extends RecipeOptions = RecipeOptions> {
  private constructor(
    readonly name: string,
    readonly folder: string,
    readonly options: Options,
    /** Whether it goes on with a run that was interrupted. */
    readonly isResumed: boolean,
    private readonly checkpointEvery: number | undefined,
    private readonly output: Output,
  ) {}

  /**
   * Begins a run in a new folder, or goes on with one.
   * @param isGiven whether an option stands on the command line
   * @throws UsageError for a folder that cannot be, or an option other than what the run to resume began with
   */
  static async open<Options extends RecipeOptions>(
    name: string,
    options: Options,
    { runDir, resume, checkpointEvery }: RunPlace,
    isGiven: (option: string) => boolean,
    output: Output,
  ): Promise<Run<Options>> {
    if (resume === undefined) {
      const folder = newRunFolder(runDir, name);
      await mkdir(folder, { recursive: true });
      const text = `${JSON.stringify({ recipe: name, options }, null, 2)}\n`;
      await writeFileAtomic(join(folder, OPTIONS_FILE), new TextEncoder().encode(text));
      return new Run(name, folder, options, false, checkpointEvery, output);
    }
    if (runDir !== undefined) {
      throw new UsageError(
        "--run-dir and --resume exclude each other: a resumed run stays in its folder. Leave one out.",
      );
    }
    const saved = savedOptions<Options>(resume, name);
    for (const [option, value] of Object.entries(options)) {
      if (isGiven(option) && value !== saved[option]) {
        const began = saved[option] === undefined ? "none" : String(saved[option]);
        throw new UsageError(
          `${flagOf(option)} ${value} does not fit the run to resume, which has ${began}. Leave it out, or start a new run.`,
        );
      }
    }
    return new Run(name, resume, saved, true, checkpointEvery, output);
  }

  /** Shows a line to whoever watches. */
  say(line: string): void {
    this.output.stdout.write(`${line}\n`);
  }

  /** A path in the run's folder. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** The run's folder as the user would write it. */
  get place(): string {
    return relative(process.cwd(), this.folder) || ".";
  }

  /** Makes a folder below the run's. @returns its path */
  async makeFolder(name: string): Promise<string> {
    await mkdir(this.path(name), { recursive: true });
    return this.path(name);
  }

  /**
   * Trains a model with progress, metrics, events, checkpoints and a report, from its checkpoint where there is one.
   * @throws Interrupted after Ctrl-C, when all is saved
   */
  async fit(plan: FitPlan): Promise<train.FitResult> {
    const { part, title, loader, epochs, evaluate, classes, inputShape, sections, callbacks = [], ...parts } = plan;
    const directory = new RunDirectory(part === undefined ? this.folder : this.path(part));
    const hasCheckpoint = existsSync(directory.store.path) || existsSync(directory.store.previousPath);
    const found = hasCheckpoint ? await directory.store.load() : null;
    if (found?.warning) this.say(found.warning);
    if (found !== null) this.say(`${title}: going on after step ${found.checkpoint.facts.step}`);
    const summary = inputShape === undefined ? null : nn.summary(plan.model, inputShape);
    const trainer = new train.Trainer(parts);
    const result = await trainer.fit(loader, {
      epochs,
      evaluate,
      resume: found?.checkpoint,
      options: { recipe: this.name, ...withoutUndefined(this.options) },
      callbacks: [
        showProgress(this.output.stdout),
        ...directory.callbacks({
          checkpointEvery: this.checkpointEvery,
          report: {
            title,
            summary: {
              recipe: this.name,
              ...textual(this.options),
              ...(summary && { parameters: summary.totalParameters }),
            },
            classes,
            modelSummary: summary === null ? undefined : String(summary),
            sections,
          },
        }),
        ...callbacks,
        stopOnInterrupt(),
      ],
    });
    if (result.stopReason === INTERRUPTED) throw new Interrupted(`after step ${result.step}`);
    return result;
  }

  /** Writes the page that compares what the run has trained: report.html in its folder. */
  async report(page: Omit<ReportData, "history" | "evaluations" | "summary"> & Partial<ReportData>): Promise<void> {
    const summary = { recipe: this.name, ...textual(this.options) };
    const html = await renderReport({
      history: [],
      evaluations: [],
      ...page,
      summary: { ...summary, ...page.summary },
    });
    await writeFileAtomic(this.path("report.html"), new TextEncoder().encode(html));
    this.say(`report: ${join(this.place, "report.html")}`);
  }

  /** Seeds all random numbers of what follows: each of several models begins alike, resumed or not. */
  seed(): void {
    manualSeed(this.options.seed);
  }
}

function savedOptions<Options>(folder: string, name: string): Options {
  const file = join(folder, OPTIONS_FILE);
  if (!existsSync(file)) {
    throw new UsageError(`--resume ${folder} holds no run of a recipe. Give the folder of one.`);
  }
  let saved: { recipe?: unknown; options?: unknown };
  try {
    saved = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new UsageError(`${file} cannot be read (${(cause as Error).message}). Start a new run.`, { cause });
  }
  if (saved.recipe !== name || typeof saved.options !== "object" || saved.options === null) {
    throw new UsageError(
      `--resume ${folder} is a run of ${String(saved.recipe)}, not of ${name}. Give another folder.`,
    );
  }
  return saved.options as Options;
}

function withoutUndefined(options: RecipeOptions): Record<string, string | number | boolean> {
  const entries = Object.entries(options).filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(entries) as Record<string, string | number | boolean>;
}

/** Options as a report shows them. */
function textual(options: RecipeOptions): Record<string, string | number> {
  const entries = Object.entries(withoutUndefined(options));
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === "boolean" ? String(value) : value]));
}
