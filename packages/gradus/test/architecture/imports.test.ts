// Who may lean on whom. The rooms of the framework and what each may import stand in one table; every import of every
// source file is held against it, so a wrong turn fails here and not in a review.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

interface Import {
  /** The importing file, from the root of the repository. */
  readonly from: string;
  readonly specifier: string;
  /** `import type`, `export type` and `typeof import(...)` leave nothing at run time. */
  readonly kind: "static" | "dynamic" | "type";
  /** What a relative specifier leads to, from the root of the repository. */
  readonly to: string | null;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name).split(sep).join("/"))
    .sort();
}

/** Comments hold examples, whose imports do not count. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{}(])\/\/.*$/gm, "$1");

const fromClause = /\b(?:import|export)\s+(type\s+)?(?:[\w*{][^"';]*?\s+from\s+)?"([^"]+)"/g;
const callForm = /(typeof\s+)?\bimport\(\s*"([^"]+)"\s*\)/g;

function importsIn(from: string, source: string): Import[] {
  const text = withoutComments(source);
  const to = (specifier: string): string | null =>
    specifier.startsWith(".")
      ? relative(root, resolve(root, dirname(from), specifier))
          .split(sep)
          .join("/")
      : null;
  return [
    ...[...text.matchAll(fromClause)].map(([, type, specifier]): Import => {
      return { from, specifier, kind: type === undefined ? "static" : "type", to: to(specifier) };
    }),
    ...[...text.matchAll(callForm)].map(([, type, specifier]): Import => {
      return { from, specifier, kind: type === undefined ? "dynamic" : "type", to: to(specifier) };
    }),
  ];
}

const importsOf = (file: string): Import[] => importsIn(file, readFileSync(join(root, file), "utf8"));

const packages = readdirSync(join(root, "packages")).filter((name) =>
  statSync(join(root, "packages", name, "package.json"), { throwIfNoEntry: false }),
);
const folders = [...packages.map((name) => `packages/${name}`), "bench"];

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;

const framework = "packages/gradus/src";
const frameworkImports = sourceFiles(framework).flatMap(importsOf);

/** The room a file of the framework stands in; the public faces at the top stand in none. */
function roomOf(file: string): string | null {
  const inside = file.startsWith(`${framework}/`) ? file.slice(framework.length + 1) : null;
  return inside?.includes("/") ? inside.split("/")[0] : null;
}

const describeImport = ({ from, specifier, kind }: Import): string =>
  `${from} imports ${specifier}${kind === "static" ? "" : ` (${kind})`}`;

/** The face of a backend: types that the compiler, the tensors and every backend share. */
const backendFace = `${framework}/backends/backend.ts`;
const graph = `${framework}/graph/index.ts`;
const tensor = `${framework}/tensor/index.ts`;

type Rule = (edge: Import) => boolean;
const toRoom =
  (...rooms: readonly string[]): Rule =>
  ({ to }) =>
    rooms.includes(roomOf(to!)!);
const toFile =
  (file: string): Rule =>
  ({ to }) =>
    to === file;
const layers = toRoom("nn", "optim", "data", "io", "train");

/** What each room may import beside itself: any of these. */
const mayImport: { readonly [room: string]: readonly Rule[] } = {
  graph: [],
  autograd: [toFile(graph)],
  compiler: [toFile(graph), (edge) => edge.to === backendFace && edge.kind === "type"],
  backends: [toFile(graph), toRoom("compiler")],
  tensor: [
    toFile(graph),
    toFile(`${framework}/autograd/index.ts`),
    (edge) => edge.to === backendFace && edge.kind === "type",
    // Backends come in when they are chosen, so that a page loads only the one it uses.
    (edge) =>
      edge.from === `${framework}/tensor/device.ts` && edge.kind === "dynamic" && roomOf(edge.to!) === "backends",
  ],
  nn: [toFile(tensor), layers],
  optim: [toFile(tensor), layers],
  data: [toFile(tensor), layers],
  io: [toFile(tensor), layers],
  train: [toFile(tensor), layers],
};

/** What is let through though its room's rule forbids it, with the reason. */
const exceptions: readonly { readonly from: string; readonly to: readonly string[]; readonly reason: string }[] = [
  {
    from: `${framework}/nn/functional/conv.ts`,
    to: [graph, `${framework}/tensor/tensor.ts`],
    reason: "Convolution is an op of the graph that only nn.functional offers, so it builds its node itself.",
  },
  {
    from: `${framework}/nn/functional/pooling.ts`,
    to: [graph, `${framework}/tensor/tensor.ts`],
    reason: "Pooling reads windows over several axes at once, an op of the graph that tensors offer for one axis only.",
  },
];

const isException = ({ from, to }: Import): boolean =>
  exceptions.some((exception) => exception.from === from && exception.to.includes(to!));

describe("the rooms of the framework", () => {
  test("are those that have a rule", () => {
    const rooms = new Set(sourceFiles(framework).flatMap((file) => roomOf(file) ?? []));
    expect([...rooms].sort()).toEqual(Object.keys(mayImport).sort());
  });

  test.each(Object.entries(mayImport))("%s leans on what it may and on nothing else", (room, rules) => {
    const leaving = frameworkImports.filter(
      ({ from, to }) => roomOf(from) === room && to !== null && roomOf(to) !== room,
    );
    const wrong = leaving.filter((edge) => !rules.some((rule) => rule(edge)) && !isException(edge));
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test("have no exception to their rules that is not used any more", () => {
    const unused = exceptions.flatMap(({ from, to }) =>
      to
        .filter((target) => !frameworkImports.some((edge) => edge.from === from && edge.to === target))
        .map((target) => `${from} does not import ${target}`),
    );
    expect(unused).toEqual([]);
  });

  test("do not lean on each other in a circle", () => {
    const next = new Map<string, Set<string>>();
    for (const { from, to, kind } of frameworkImports) {
      if (to === null || kind !== "static") continue;
      const [a, b] = [roomOf(from), roomOf(to)];
      if (a === null || b === null || a === b) continue;
      next.set(a, (next.get(a) ?? new Set()).add(b));
    }
    const circles: string[] = [];
    const visit = (room: string, path: readonly string[]): void => {
      if (path.includes(room)) circles.push([...path.slice(path.indexOf(room)), room].join(" -> "));
      else for (const other of next.get(room) ?? []) visit(other, [...path, room]);
    };
    for (const room of next.keys()) visit(room, []);
    expect(circles).toEqual([]);
  });
});

describe("packages", () => {
  const outside = folders.filter((folder) => folder !== "packages/gradus");

  test.each(outside)("%s leans on other packages as any user does, through what they export", (folder) => {
    const manifests = folders.map(manifestOf);
    const wrong = sourceFiles(`${folder}/src`)
      .flatMap(importsOf)
      .filter(({ specifier, to }) => {
        if (to !== null) return !to.startsWith(`${folder}/src/`);
        const owner = manifests.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
        if (owner === undefined) return false;
        return !(`.${specifier.slice(owner.name.length)}` in (owner.exports ?? {}));
      });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test.each(folders)("%s states every package it imports as a dependency", (folder) => {
    const { name, dependencies, peerDependencies, optionalDependencies } = manifestOf(folder);
    const stated = new Set([name, ...Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })]);
    const wrong = sourceFiles(`${folder}/src`)
      .flatMap(importsOf)
      .filter(({ specifier, to, kind }) => {
        if (to !== null || specifier.startsWith("node:") || kind === "type") return false;
        const parts = specifier.split("/");
        return !stated.has(parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
      });
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test("the framework imports no other package of this repository", () => {
    const others = outside.map((folder) => manifestOf(folder).name);
    const wrong = frameworkImports.filter(({ specifier }) =>
      others.some((name) => specifier === name || specifier.startsWith(`${name}/`)),
    );
    expect(wrong.map(describeImport)).toEqual([]);
  });
});

/** Every file that loads when `entry` does, and what leads out of the package. */
function loadedWith(entry: string): Import[] {
  const seen = new Set<string>();
  const leaving: Import[] = [];
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const edge of importsOf(file)) {
      if (edge.kind !== "static") continue;
      if (edge.to === null) leaving.push(edge);
      else visit(edge.to);
    }
  };
  visit(entry);
  return leaving;
}

const browserEntries = ["packages/gradus/src/index.ts", "packages/vision/src/index.ts"];

describe("what a browser loads", () => {
  test.each(browserEntries)("with %s holds no module of Node", (entry) => {
    const wrong = loadedWith(entry).filter(({ specifier }) => specifier.startsWith("node:"));
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test("with a backend holds no module of Node either", () => {
    for (const backend of ["cpu", "reference"]) {
      const wrong = loadedWith(`${framework}/backends/${backend}/backend.ts`);
      expect(wrong.map(describeImport)).toEqual([]);
    }
  });

  test("does not reach another package by its part for Node", () => {
    const wrong = browserEntries.flatMap(loadedWith).filter(({ specifier }) => specifier.endsWith("/node"));
    expect(wrong.map(describeImport)).toEqual([]);
  });
});

describe("the reading of imports", () => {
  test("sees every form, tells types from values, and skips comments", () => {
    const source = [
      'import "./effect.ts";',
      'import { a,\n  type B } from "./values.ts";',
      'import type { C } from "./types.ts";',
      'export * as d from "./again.ts";',
      'export type { E } from "./other-types.ts";',
      'const f = await import("./later.ts");',
      'let g: typeof import("node:fs");',
      '// import { h } from "./comment.ts";',
      '/* export * from "./comment.ts"; */',
      'const url = "https://example.org";',
    ].join("\n");
    const found = importsIn("packages/gradus/src/tensor/x.ts", source).map(
      ({ specifier, kind }) => `${specifier} ${kind}`,
    );
    expect(found).toEqual([
      "./effect.ts static",
      "./values.ts static",
      "./types.ts type",
      "./again.ts static",
      "./other-types.ts type",
      "./later.ts dynamic",
      "node:fs type",
    ]);
  });

  test("finds the imports of this repository", () => {
    expect(frameworkImports.length).toBeGreaterThan(300);
    const missing = frameworkImports.filter(
      ({ to }) => to !== null && !statSync(join(root, to), { throwIfNoEntry: false }),
    );
    expect(missing.map(describeImport)).toEqual([]);
  });
});
