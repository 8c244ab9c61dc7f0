import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createProgress, formatDuration, formatMetric, type ProgressOptions } from "../../src/train/progress.ts";

/** Collects what is written; `isTTY` makes it a terminal. */
class Screen extends Writable {
  text = "";
  constructor(
    readonly isTTY: boolean,
    readonly columns = 120,
  ) {
    super();
  }
  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }

  /** What a reader sees at the end: of each line, what was written since it was last begun anew or cleared. */
  get lines(): string[] {
    return this.text.split("\n").map((line) => {
      const start = Math.max(line.lastIndexOf("\x1b[1G"), line.lastIndexOf("\x1b[2K"), 0);
      return stripVTControlCharacters(line.slice(start)).replace("\x1b7", "");
    });
  }
}

// Time is made by hand: nothing here depends on how fast the machine is.
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0); // a timer left over would keep the process alive
  vi.useRealTimers();
});

function start(screen: Screen, options: Partial<ProgressOptions> = {}) {
  return createProgress({ stream: screen, epochs: 3, stepsPerEpoch: 200, ...options });
}

/** Steps that take 100 ms each, metrics falling with them. */
function train(progress: ReturnType<typeof start>, from: number, to: number, milliseconds = 100): void {
  for (let step = from; step <= to; step++) {
    vi.setSystemTime(Date.now() + milliseconds);
    progress.update(step, { loss: 2 / step, accuracy: step / (step + 10) });
  }
}

describe("progress without a terminal", () => {
  test("writes a plain line every few seconds, with step, times, pace and metrics", () => {
    const screen = new Screen(false);
    const progress = start(screen);
    train(progress, 1, 120);
    progress.close();
    expect(screen.text).toBe(
      // 600 steps at 100 ms are a minute in all.
      "Epoch 1/3 50/200, 0:05, 0:55 left, 100 ms/step, loss 0.0400, accuracy 0.8333\n" +
        "Epoch 1/3 100/200, 0:10, 0:50 left, 100 ms/step, loss 0.0200, accuracy 0.9091\n",
    );
  });

  test("writes the summary of each epoch and lines of the log as they are, without control characters", () => {
    const screen = new Screen(false);
    const progress = start(screen);
    train(progress, 1, 200, 1);
    progress.log("learning rate halved");
    progress.endEpoch("epoch 1: test accuracy 0.9132");
    train(progress, 1, 200, 1);
    progress.endEpoch("epoch 2: test accuracy 0.9245");
    progress.close();
    expect(screen.text).toBe("learning rate halved\nepoch 1: test accuracy 0.9132\nepoch 2: test accuracy 0.9245\n");
  });

  test("goes on where a resumed run does", () => {
    const screen = new Screen(false);
    const progress = start(screen, { startEpoch: 1, startStep: 150 });
    train(progress, 151, 200);
    progress.close();
    // 200 of 600 steps are left after this epoch; the time elapsed is this process's.
    expect(screen.text).toBe("Epoch 2/3 200/200, 0:05, 0:20 left, 100 ms/step, loss 0.0100, accuracy 0.9524\n");
  });

  test("the pace counts neither the first step, which compiles, nor what happens between epochs", () => {
    const screen = new Screen(false);
    const progress = start(screen);
    train(progress, 1, 1, 4_000);
    train(progress, 2, 200, 10);
    vi.setSystemTime(Date.now() + 60_000); // evaluation
    progress.endEpoch("evaluated");
    train(progress, 1, 1, 10);
    vi.setSystemTime(Date.now() + 5_000);
    train(progress, 2, 2, 10);
    progress.close();
    expect(screen.text).toMatch(/^Epoch 1\/3 101\/200, 0:05, 0:05 left, 10 ms\/step/);
    // One slow step of 5 s moves the mean over 50 steps by a fiftieth: 10 + 100.
    expect(screen.text).toMatch(/evaluated\nEpoch 2\/3 2\/200, 1:11, 0:44 left, 110 ms\/step/);
  });
});

describe("progress on a terminal", () => {
  test("redraws one line with a bar", () => {
    const screen = new Screen(true);
    const progress = start(screen);
    train(progress, 1, 100, 250); // slow enough that every step is drawn
    expect(screen.text).not.toContain("\n");
    expect(screen.lines).toEqual([
      "Epoch 1/3 ████████████░░░░░░░░░░░░ 100/200, 0:25, 2:05 left, 250 ms/step, loss 0.0200, accuracy 0.9091",
    ]);
    progress.close();
    expect(screen.lines.join("").trim()).toBe("");
  });

  test("draws at most a few times a second", () => {
    const screen = new Screen(true);
    const progress = start(screen, { stepsPerEpoch: 5000 });
    train(progress, 1, 5000, 1);
    progress.close();
    const drawn = screen.text.split("Epoch").length - 1;
    expect(drawn).toBeGreaterThan(10);
    expect(drawn).toBeLessThan(60); // 5 s
  });

  test("puts lines of the log and summaries above the bar", () => {
    const screen = new Screen(true);
    const progress = start(screen);
    train(progress, 1, 100);
    progress.log("checkpoint written");
    train(progress, 101, 200);
    progress.endEpoch("epoch 1: loss 0.5");
    train(progress, 1, 20, 250);
    expect(screen.lines.slice(0, 2)).toEqual(["checkpoint written", "epoch 1: loss 0.5"]);
    expect(screen.lines[2]).toMatch(/^Epoch 2\/3 ██░+ 20\/200, /);
    progress.close();
  });

  test.each([100, 80, 60, 30])("fits into %i columns", (columns) => {
    const screen = new Screen(true, columns);
    const progress = start(screen);
    train(progress, 1, 150, 250);
    const [line] = screen.lines;
    expect(line!.length).toBeLessThanOrEqual(columns);
    expect(line).toMatch(/^Epoch 1\/3 .*150\/200/);
    progress.close();
  });

  test("leaves the terminal's cursor and wrapping alone, so that an interrupted run does no harm", () => {
    const screen = new Screen(true);
    const progress = start(screen);
    train(progress, 1, 10);
    expect(screen.text).not.toContain("\x1b[?"); // what sets a mode of the terminal
    progress.close();
  });

  test("is quiet after the last epoch and after closing", () => {
    const screen = new Screen(true);
    const progress = start(screen, { epochs: 1 });
    train(progress, 1, 200);
    progress.endEpoch("done");
    const before = screen.text;
    progress.update(1, { loss: 1 });
    progress.close();
    progress.close();
    progress.update(2, { loss: 1 });
    expect(screen.text).toBe(before);
    progress.log("saved");
    expect(screen.lines.slice(-2)).toEqual(["saved", ""]);
  });
});

describe("numbers", () => {
  test("durations read as a clock", () => {
    expect([0, 7_400, 59_600, 754_000, 3_723_000, 100 * 3_600_000].map(formatDuration)).toEqual([
      "0:00",
      "0:07",
      "1:00",
      "12:34",
      "1:02:03",
      "100:00:00",
    ]);
  });

  test("metrics keep their width while they change", () => {
    expect([0.5, -1.23456, 123.456, 0.00012345, 7, 0, 1.5e7, Number.NaN, -Infinity].map(formatMetric)).toEqual([
      "0.5000",
      "-1.2346",
      "123.46",
      "1.23e-4",
      "7",
      "0",
      "1.50e+7",
      "NaN",
      "-Infinity",
    ]);
  });
});
