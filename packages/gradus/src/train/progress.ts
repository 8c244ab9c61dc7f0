// How far training is, for a terminal (a bar that redraws itself) or a log file (a plain line now and then).
// Node only; leans on cli-progress for the terminal. Draws only from within update(): a training loop may
// keep the event loop busy for minutes, so that no timer would ever fire.

import cliProgress from "cli-progress";

/** Without a terminal, at most one line in this time. */
const PLAIN_LINE_MILLISECONDS = 5_000;
const LONGEST_BAR = 24;
const SHORTEST_BAR = 6;
/** The pace is the mean over about this many steps: old enough to be calm, young enough to follow a change. */
const PACE_STEPS = 50;

/** Options of `createProgress`. */
export interface ProgressOptions {
  /** Where to write, for example `process.stdout`; a bar is drawn where it `isTTY`. */
  readonly stream: NodeJS.WritableStream & {
    /** Whether it is a terminal. */
    readonly isTTY?: boolean;
    /** How many characters a line of it has. */
    readonly columns?: number;
  };
  /** How many epochs the whole training has. */
  readonly epochs: number;
  /** How many steps each of them has. */
  readonly stepsPerEpoch: number;
  /** How many epochs are complete already, as when resuming; default 0. */
  readonly startEpoch?: number;
  /** How many steps of the current epoch are complete already; default 0. */
  readonly startStep?: number;
}

/** A bar, or lines, that tell how far training is. */
export interface Progress {
  /**
   * Shows how far the epoch is. Cheap enough to call at every step: most calls draw nothing.
   * @param step how many steps of the current epoch are complete, 1 to `stepsPerEpoch`
   * @param metrics running metrics, shown in their order
   */
  update(step: number, metrics: Readonly<Record<string, number>>): void;
  /** Puts the line in the place of the bar and goes on to the next epoch. */
  endEpoch(summaryLine: string): void;
  /** Writes a line above the bar. */
  log(line: string): void;
  /** Removes the bar. Call it in a `finally`, since an open bar keeps the process alive; twice is allowed. */
  close(): void;
}

/**
 * A bar where the stream is a terminal, else a line every few seconds.
 *
 * ```ts
 * const progress = createProgress({ stream: process.stdout, epochs: 3, stepsPerEpoch: 938 });
 * progress.update(120, { loss: 0.31, accuracy: 0.91 });
 * // Epoch 1/3 ███░░░░░░░░░░░░░░░░░░░░░ 120/938, 0:02, 0:45 left, 16 ms/step, loss 0.3100, accuracy 0.9100
 * ```
 */
export function createProgress(options: ProgressOptions): Progress {
  const { stream, epochs, stepsPerEpoch, startEpoch = 0, startStep = 0 } = options;
  const begin = Date.now();
  const pace = new Pace(startStep, begin);
  let epoch = startEpoch;
  let step = startStep;
  let metrics: Readonly<Record<string, number>> = {};
  let lastPlainLine = begin;

  const text = (): string => {
    const remainingSteps = (epochs - epoch) * stepsPerEpoch - step;
    const perStep = pace.milliseconds;
    const facts = [
      `${step}/${stepsPerEpoch}`,
      formatDuration(Date.now() - begin),
      ...(perStep === undefined ? [] : [`${formatDuration(remainingSteps * perStep)} left`, formatPace(perStep)]),
      ...Object.entries(metrics).map(([name, value]) => `${name} ${formatMetric(value)}`),
    ];
    return facts.join(", ");
  };
  const heading = (): string => `Epoch ${epoch + 1}/${epochs} `;

  const bar = stream.isTTY
    ? new cliProgress.SingleBar({
        stream,
        barCompleteChar: "█",
        barIncompleteChar: "░",
        // Leaves the terminal's own wrapping alone and trims instead: an interrupted run must not leave it changed.
        linewrap: true,
        format: (_, { progress, maxWidth }) => {
          const facts = text();
          const barsize = Math.min(LONGEST_BAR, maxWidth - heading().length - facts.length - 1);
          if (barsize < SHORTEST_BAR) return heading() + facts;
          const complete = Math.round(progress * barsize);
          return `${heading()}${"█".repeat(complete)}${"░".repeat(barsize - complete)} ${facts}`;
        },
        clearOnComplete: true,
      })
    : undefined;

  const line = (content: string): void => {
    bar?.stop(); // clears its line
    stream.write(`${content}\n`);
  };
  let closed = epoch >= epochs;
  const draw = (): void => {
    if (!closed) bar?.start(stepsPerEpoch, step);
  };
  draw();

  return {
    update(newStep, newMetrics) {
      if (closed) return;
      step = newStep;
      metrics = newMetrics;
      const now = Date.now();
      pace.update(step, now);
      if (bar) bar.update(step);
      else if (now - lastPlainLine >= PLAIN_LINE_MILLISECONDS) {
        lastPlainLine = now;
        line(heading() + text());
      }
    },
    endEpoch(summaryLine) {
      line(summaryLine);
      epoch += 1;
      step = 0;
      metrics = {};
      lastPlainLine = Date.now();
      pace.restart(0, lastPlainLine);
      closed ||= epoch >= epochs;
      draw();
    },
    log(content) {
      line(content);
      draw();
    },
    close() {
      closed = true;
      bar?.stop();
    },
  };
}

/** Milliseconds a step, as an exponentially weighted mean that never counts what happens between epochs. */
class Pace {
  #step: number;
  #time: number;
  #mean: number | undefined;
  #isFirst = true;

  constructor(step: number, time: number) {
    this.#step = step;
    this.#time = time;
  }

  /** Undefined until there is something to tell. */
  get milliseconds(): number | undefined {
    return this.#mean;
  }

  update(step: number, time: number): void {
    const steps = step - this.#step;
    if (steps <= 0) return;
    const perStep = (time - this.#time) / steps;
    // The first step of all also compiles the program: it is shown, but the second replaces it.
    const forget = this.#mean === undefined || this.#isFirst ? 1 : Math.min(1, steps / PACE_STEPS);
    this.#isFirst = this.#mean === undefined;
    this.#mean = (this.#mean ?? 0) * (1 - forget) + perStep * forget;
    this.restart(step, time);
  }

  restart(step: number, time: number): void {
    this.#step = step;
    this.#time = time;
  }
}

/** `0:07`, `12:34`, `1:02:03`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  const [first, ...rest] = hours > 0 ? [hours, ...parts] : parts;
  return [String(first), ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}

/** Four digits that stay in place while a number changes; very small and very large numbers by their exponent. */
export function formatMetric(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : value.toFixed(size >= 100 ? 2 : 4);
}

function formatPace(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s/step`;
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(0)} ms/step`;
}
