import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MetricsLog, MetricsLogError } from "../../src/train/metrics-log.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gradus-log-"));
  path = join(directory, "metrics.jsonl");
});
afterEach(() => rmSync(directory, { recursive: true }));

function lines(): Record<string, unknown>[] {
  const text = readFileSync(path, "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function steps(): unknown[] {
  return lines().map((line) => line.step);
}

function writeRun(lastStep: number): void {
  const log = new MetricsLog(path);
  for (let step = 1; step <= lastStep; step++) log.write({ step, epoch: 1, loss: 2 / step });
  log.close();
}

describe("MetricsLog", () => {
  test("writes one object a line: step, epoch, metrics in their order, time", () => {
    const before = Date.now() / 1000;
    const log = new MetricsLog(path);
    log.write({ step: 500, epoch: 1.5, loss: 0.3125, accuracy: 0.875, note: 'a "best"\nso far', missing: undefined });
    const [line] = lines(); // there without closing
    expect(Object.keys(line!)).toEqual(["step", "epoch", "loss", "accuracy", "note", "time"]);
    expect(line).toMatchObject({ step: 500, epoch: 1.5, loss: 0.3125, accuracy: 0.875, note: 'a "best"\nso far' });
    expect(line!.time).toBeGreaterThanOrEqual(before);
    expect(line!.time).toBeLessThanOrEqual(Date.now() / 1000);
    log.close();
  });

  test("numbers that JSON lacks become strings that Number reads back", () => {
    const log = new MetricsLog(path);
    log.write({ step: 1, epoch: 1, a: Number.NaN, b: Number.POSITIVE_INFINITY, c: Number.NEGATIVE_INFINITY });
    log.close();
    expect(lines()[0]).toMatchObject({ a: "NaN", b: "Infinity", c: "-Infinity" });
    expect(["a", "b", "c"].map((key) => Number(lines()[0]![key]))).toEqual([Number.NaN, Infinity, -Infinity]);
  });

  test("appends to what is there where nothing is resumed", () => {
    writeRun(3);
    const before = readFileSync(path, "utf8");
    const log = new MetricsLog(path);
    log.write({ step: 4, epoch: 2, loss: 0.5 });
    log.close();
    expect(readFileSync(path, "utf8").startsWith(before)).toBe(true);
    expect(steps()).toEqual([1, 2, 3, 4]);
  });

  test("on resuming drops the lines past the step, wherever they stand, and keeps the others byte by byte", () => {
    writeFileSync(path, '{"step":1,"loss":0.10}\n{"step":9}\n{"step": 5 , "x":"é"}\n{"step":6}\n{"step":2}\n');
    const log = new MetricsLog(path, { resumeAtStep: 5 });
    expect(readFileSync(path, "utf8")).toBe('{"step":1,"loss":0.10}\n{"step": 5 , "x":"é"}\n{"step":2}\n');
    log.write({ step: 6, epoch: 2, loss: 0.25 });
    log.close();
    expect(steps()).toEqual([1, 5, 2, 6]);
    expect(readdirSync(directory)).toEqual(["metrics.jsonl"]);
  });

  test.each(['{"step":4,"ep', '{"step":4,"ep\n', "\0\0\0\0", '{"step":4}\n{"st'])("drops the torn end %j", (end) => {
    writeRun(3);
    writeFileSync(path, end, { flag: "a" });
    const log = new MetricsLog(path, { resumeAtStep: 3 });
    log.write({ step: 4, epoch: 2, loss: 0.5 });
    log.close();
    expect(steps()).toEqual([1, 2, 3, 4]);
    expect(lines()[3]).toMatchObject({ epoch: 2, loss: 0.5 });
  });

  test("a last line that is whole but for its newline is kept", () => {
    writeFileSync(path, '{"step":1}\n{"step":2}');
    new MetricsLog(path, { resumeAtStep: 7 }).close();
    expect(readFileSync(path, "utf8")).toBe('{"step":1}\n{"step":2}\n');
  });

  test("does not rewrite a log in which nothing is to drop", () => {
    writeRun(4);
    const { ino } = statSync(path);
    new MetricsLog(path, { resumeAtStep: 4 }).close();
    expect(statSync(path).ino).toBe(ino);
    expect(steps()).toEqual([1, 2, 3, 4]);
  });

  test("starts over at step 0, and on an empty file", () => {
    writeRun(3);
    new MetricsLog(path, { resumeAtStep: 0 }).close();
    expect(readFileSync(path, "utf8")).toBe("");
    new MetricsLog(path, { resumeAtStep: 10 }).close();
    expect(steps()).toEqual([]);
  });

  test("names a broken line in the middle and leaves the file as it is", () => {
    const text = '{"step":1}\n{"step":2\n{"step":3}\n';
    writeFileSync(path, text);
    expect(() => new MetricsLog(path, { resumeAtStep: 1 })).toThrow(/Line 2 of .*metrics\.jsonl is not a JSON object/);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("refuses what makes no line", () => {
    const log = new MetricsLog(path);
    expect(() => log.write({ step: -1, epoch: 0 })).toThrow("step -1");
    expect(() => log.write({ step: 1, epoch: 0, time: 3 })).toThrow('its own "time"');
    log.close();
    log.close();
    expect(() => log.write({ step: 1, epoch: 0 })).toThrow(MetricsLogError);
    expect(readFileSync(path, "utf8")).toBe("");
    const other = join(directory, "other.jsonl");
    expect(() => new MetricsLog(other, { resumeAtStep: Number.NaN })).toThrow("step NaN");
    expect(existsSync(other)).toBe(false);
  });
});
