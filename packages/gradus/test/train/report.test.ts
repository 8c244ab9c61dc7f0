import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { ImageDataError } from "../../src/train/png.ts";
import { type ReportData, ReportDataError, renderReport } from "../../src/train/report.ts";

function image(width: number, channels: 1 | 3, seed: number) {
  const data = Uint8Array.from({ length: width * width * channels }, (_, i) => (i * 29 + seed * 71) % 256);
  return { width, height: width, channels, data };
}

const data = {
  title: "LeNet-5 on Fashion-MNIST",
  summary: { optimizer: "Adam", parameters: 61706, "learning rate": 0.001 },
  history: Array.from({ length: 120 }, (_, i) => ({
    step: (i + 1) * 10,
    epoch: Math.ceil((i + 1) / 30),
    loss: 2.3 * Math.exp(-i / 40) + 0.1 * Math.sin(i * 2.7) ** 2,
    accuracy: 0.9 - 0.7 * Math.exp(-i / 30),
    gradientNorm: 1 + Math.cos(i),
  })),
  evaluations: [0.81, 0.86, 0.91, 0.8925].map((accuracy, i) => ({ epoch: i + 1, loss: 0.9 / (i + 1), accuracy })),
  confusion: {
    labels: ["shirt", "coat", "bag"],
    matrix: [
      [90, 9, 1],
      [14, 1234, 0],
      [0, 2, 97],
    ],
  },
  mistakes: [
    { image: image(28, 1, 1), predicted: "coat", actual: "shirt", confidence: 0.71 },
    { image: image(32, 3, 2), predicted: "bag", actual: "coat", confidence: 0.982 },
  ],
  filters: { title: "First layer", images: [image(5, 1, 3), image(5, 1, 4)] },
  modelSummary: "LeNet5(\n  Conv2d(1, 6, 5)\n)",
} satisfies ReportData;

/** Names of elements and attributes must pair up for every browser to read the page alike. */
function expectBalanced(html: string): void {
  const open: string[] = [];
  const empty = new Set(["meta", "link", "img"]);
  for (const [, closing, name, selfClosed] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:"[^"]*"|[^>"])*?(\/?)>/gi)) {
    if (closing) expect(open.pop()).toBe(name);
    else if (!selfClosed && !empty.has(name!)) open.push(name!);
  }
  expect(open).toEqual([]);
}

function pictures(html: string) {
  return [...html.matchAll(/src="data:image\/png;base64,([^"]+)"/g)].map(([, code]) =>
    decode(Buffer.from(code!, "base64"), { checkCrc: true }),
  );
}

describe("renderReport", () => {
  test("shows further sections: named curves, a table, pictures with captions, all of it escaped", async () => {
    const points = (factor: number) => [1, 2, 3].map((x): [number, number] => [x, x * factor]);
    const html = await renderReport({
      ...data,
      sections: [
        {
          title: "Compared <runs>",
          text: "Side & side",
          charts: [
            {
              title: "Spread",
              xTitle: "layer",
              series: [
                { name: "<good>", points: points(1) },
                { name: "bad", points: points(-2) },
              ],
            },
          ],
          table: { columns: ["", "accuracy"], rows: [["<good>", 0.5]] },
          pictures: [{ image: image(8, 1, 5), caption: "after epoch 3" }],
        },
        { title: "Empty", charts: [{ title: "none", series: [{ name: "a", points: [] }] }] },
      ],
    });
    expectBalanced(html);
    expect(html).toContain("<h2>Compared &lt;runs&gt;</h2>");
    expect(html).toContain("<title>layer 2: -4</title>");
    expect(html).toContain('<span class="curve0">&lt;good&gt; <b>3</b></span>');
    expect(html).toContain('<th scope="row">&lt;good&gt;</th><td>0.5</td>');
    expect(html).toContain("after epoch 3</small>");
    expect(html).not.toContain("Empty");
    expect(pictures(html)).toHaveLength(5);
  });

  test("is one well-formed document that asks for nothing", async () => {
    const html = await renderReport(data);
    expect(html.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
    expectBalanced(html);
    expect(html).not.toMatch(/https?:|<script|@import|url\(/i);
    expect(html).toContain("default-src 'none'; img-src data:; style-src 'unsafe-inline'");
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html).toContain('name="viewport"');
  });

  test("leads with the last test result, the best one and the samples that were right", async () => {
    const html = await renderReport(data);
    expect(html).toContain("<dt>Test accuracy</dt><dd>89.25%<small>best 91.00%, epoch 3</small>");
    expect(html).toContain("<dt>Test loss</dt><dd>0.2250<small>after epoch 4</small>");
    expect(html).toContain("<dt>Right</dt><dd>1,421<small>of 1,447 test samples</small>");
    expect(html).toContain("<dt>Steps</dt><dd>1,200<small>in 4 epochs</small>");
  });

  test("draws loss, accuracy and every further metric, counted in epochs", async () => {
    const html = await renderReport(data);
    const charts = html.split("<figure><figcaption><h3>").slice(1);
    expect(charts.map((chart) => chart.slice(0, chart.indexOf("<")))).toEqual(["Loss", "Accuracy", "gradientNorm"]);
    expect(charts[0]).toContain('aria-label="Loss by epoch"');
    expect(charts[0]).toMatch(/<path class="train faint" d="M/); // noise, and the trend over it
    expect(charts[0]!.match(/<circle class="test"/g)).toHaveLength(4);
    expect(charts[1]).toContain("<title>step 900: 91.00%</title>"); // the test after epoch 3 stands at its last step
    expect(charts[2]).not.toContain('class="test"');
  });

  test("a curve of a hundred thousand points stays small", async () => {
    const history = Array.from({ length: 100_000 }, (_, i) => ({ step: i + 1, epoch: 1, loss: 1 + Math.sin(i / 9e3) }));
    const html = await renderReport({ title: "long", summary: {}, history, evaluations: [] });
    expect(html.length).toBeLessThan(30_000);
  });

  test("points that are not finite are left out of a curve, and counted", async () => {
    const history = [1, 2, Number.NaN, Number.POSITIVE_INFINITY, 3].map((loss, i) => ({ step: i + 1, epoch: 1, loss }));
    const html = await renderReport({ title: "diverged", summary: {}, history, evaluations: [] });
    expect(html).toContain("2 points not finite, left out");
    expect(html).not.toMatch(/[MLH, ]NaN|Infinity/);
    expect(html.match(/<circle class="train"/g)).toHaveLength(3);
  });

  test("a loss that falls through two orders of magnitude is drawn on a logarithmic scale", async () => {
    const history = [2, 0.5, 0.1, 0.01].map((loss, i) => ({ step: i + 1, epoch: 1, loss }));
    expect(await renderReport({ ...data, history, evaluations: [] })).toContain("logarithmic scale");
    const shallow = history.map((point) => ({ ...point, loss: point.loss + 1 }));
    expect(await renderReport({ ...data, history: shallow, evaluations: [] })).not.toContain("logarithmic scale");
  });

  test("colours counts by their logarithm, the diagonal apart from mistakes", async () => {
    const html = await renderReport(data);
    const cell = (title: string) => html.match(new RegExp(`<td class="([^"]*)" style="--t:([^"]*)" title="${title}"`));
    const t = (count: number) => (Math.log1p(count) / Math.log1p(1234)).toFixed(2);
    expect(cell("coat taken for coat: 1234")!.slice(1)).toEqual(["right deep middling", "1.00"]);
    expect(cell("shirt taken for shirt: 90")!.slice(1)).toEqual(["right middling", t(90)]);
    expect(cell("coat taken for shirt: 14")!.slice(1)).toEqual(["wrong", t(14)]);
    expect(cell("bag taken for shirt: 0")!.slice(1)).toEqual(["wrong", "0.00"]);
  });

  test("a hundred classes become a picture of one pixel a cell and a list of the worst pairs", async () => {
    const labels = Array.from({ length: 100 }, (_, i) => `class ${i}`);
    const matrix: number[][] = labels.map((_, row) =>
      labels.map((_, column) => (row === column ? 80 : (row * column) % 7 === 6 ? 1 : 0)),
    );
    matrix[35]![98] = 19;
    const html = await renderReport({
      title: "CIFAR-100",
      summary: {},
      history: [],
      evaluations: [],
      confusion: { labels, matrix },
    });
    expectBalanced(html);
    expect(html).toContain("<ol><li>class 35 taken for class 98: <b>19</b></li>");
    const [picture] = pictures(html);
    expect([picture!.width, picture!.height, picture!.channels]).toEqual([100, 100, 4]);
    const opacity = (row: number, column: number) => picture!.data[(row * 100 + column) * 4 + 3];
    expect([opacity(4, 4), opacity(0, 3)]).toEqual([255, 0]);
    expect(opacity(35, 98)).toBe(Math.round((255 * Math.log1p(19)) / Math.log1p(80)));
  });

  test("shows mistakes the surest first, and pictures pixel by pixel at a whole factor", async () => {
    const html = await renderReport(data);
    expect(html.indexOf("98.20% sure")).toBeGreaterThan(0);
    expect(html.indexOf("98.20% sure")).toBeLessThan(html.indexOf("71.00% sure"));
    const originals = [data.mistakes[1]!.image, data.mistakes[0]!.image, ...data.filters.images];
    expect(pictures(html).map((png) => Array.from(png.data))).toEqual(originals.map((one) => Array.from(one.data)));
    expect(html).toContain('width="112" height="112" alt="shirt, taken for coat"'); // 28 pixels, four times
    expect(html).toContain('width="60" height="60" alt="filter 1"'); // 5 pixels, twelve times
    expect(html).toContain("image-rendering:pixelated");
  });

  test("escapes every text", async () => {
    const evil = `<img src=x onerror="alert('&')">`;
    const html = await renderReport({
      title: evil,
      summary: { [evil]: evil },
      history: [1, 2].map((step) => ({ step, epoch: 1, loss: step / 3, [evil]: step })),
      evaluations: [],
      confusion: {
        labels: [evil, "b"],
        matrix: [
          [3, 1],
          [2, 5],
        ],
      },
      mistakes: [{ image: image(4, 1, 5), predicted: evil, actual: evil, confidence: 0.6 }],
      filters: { title: evil, images: [image(3, 3, 6)] },
      modelSummary: evil,
    });
    expect(html).not.toContain("<img src=x");
    expect(html).not.toContain("alert('");
    // Title and heading; name and value of an option; name and label of a curve; rows, columns and cells of the matrix; ...
    expect(
      html.split("&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;").length - 1,
    ).toBeGreaterThanOrEqual(14);
    expectBalanced(html);
  });

  test("leaves out what there is no data for", async () => {
    const html = await renderReport({ title: "nothing yet", summary: {}, history: [], evaluations: [] });
    expectBalanced(html);
    expect(html).not.toContain("<section>");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    const tested = await renderReport({ title: "tested", summary: {}, history: [], evaluations: data.evaluations });
    expect(tested).toContain('aria-label="Accuracy by epoch"');
    expect(tested).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("refuses a matrix that does not fit its labels, and a picture that does not fit its size", async () => {
    const short = {
      ...data,
      confusion: {
        labels: ["a", "b"],
        matrix: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
    };
    await expect(renderReport(short)).rejects.toThrow(ReportDataError);
    await expect(renderReport(short)).rejects.toThrow("2 rows of 3 columns for 2 labels");
    const torn = { ...data, filters: { title: "torn", images: [{ ...image(5, 1, 1), width: 4 }] } };
    await expect(renderReport(torn)).rejects.toThrow(ImageDataError);
  });
});
