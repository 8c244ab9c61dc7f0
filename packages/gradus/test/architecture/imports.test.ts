// Who may lean on whom. The rooms of the framework and what each may import stand in one table; every import of every
// source file is held against it, so a wrong turn fails here and not in a review.

import { existsSync, readdirSync, readFileSync } from "node:fs";
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
  /** What a relative specifier, or one that begins with #, leads to, from the root of the repository. */
  readonly to: string | null;
  /** Where a specifier that begins with # leads there; it stands for one import for each condition of its package. */
  readonly condition?: string;
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

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly imports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifests = new Map<string, Manifest>();

/** What a folder's package.json says. */
function manifestOf(folder: string): Manifest {
  const manifest =
    manifests.get(folder) ?? (JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest);
  manifests.set(folder, manifest);
  return manifest;
}

/** Where a specifier that begins with # leads, by condition; what is built counts as the source it is built from. */
function conditionalTargets(folder: string, specifier: string): [condition: string, file: string][] {
  return Object.entries(manifestOf(folder).imports?.[specifier] ?? {}).map(([condition, target]) => {
    const source = target.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts").replace(/^\.\//, "");
    return [condition, `${folder}/${source}`];
  });
}

const fromClause = /\b(?:import|export)\s+(type\s+)?(?:[\w*{][^"';]*?\s+from\s+)?"([^"]+)"/g;
const callForm = /(typeof\s+)?\bimport\(\s*"([^"]+)"\s*\)/g;

function importsIn(from: string, source: string): Import[] {
  const text = withoutComments(source);
  const folder = from.slice(0, from.indexOf("/src/"));
  const edges = (kind: Import["kind"], specifier: string): Import[] => {
    if (specifier.startsWith("#")) {
      const targets = conditionalTargets(folder, specifier);
      if (targets.length === 0) return [{ from, specifier, kind, to: null }];
      return targets.map(([condition, to]) => ({ from, specifier, kind, to, condition }));
    }
    if (!specifier.startsWith(".")) return [{ from, specifier, kind, to: null }];
    const to = relative(root, resolve(root, dirname(from), specifier));
    return [{ from, specifier, kind, to: to.split(sep).join("/") }];
  };
  return [
    ...[...text.matchAll(fromClause)].flatMap(([, type, name]) => edges(type === undefined ? "static" : "type", name)),
    ...[...text.matchAll(callForm)].flatMap(([, type, name]) => edges(type === undefined ? "dynamic" : "type", name)),
  ];
}

const importsOf = (file: string): Import[] => importsIn(file, readFileSync(join(root, file), "utf8"));

const packages = readdirSync(join(root, "packages")).filter((name) =>
  existsSync(join(root, "packages", name, "package.json")),
);
const folders = [...packages.map((name) => `packages/${name}`), "bench"];

const framework = "packages/gradus/src";
const frameworkImports = sourceFiles(framework).flatMap(importsOf);

/** The room a file of the framework stands in; the public faces at the top stand in none. */
function roomOf(file: string): string | null {
  const inside = file.startsWith(`${framework}/`) ? file.slice(framework.length + 1) : null;
  return inside?.includes("/") ? inside.split("/")[0] : null;
}

function describeImport({ from, specifier, kind, to, condition }: Import): string {
  const where = condition === undefined ? "" : `, under "${condition}" ${to}`;
  return `${from} imports ${specifier}${where}${kind === "static" ? "" : ` (${kind})`}`;
}

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
    const wrong = sourceFiles(`${folder}/src`)
      .flatMap(importsOf)
      .filter(({ specifier, to }) => {
        if (to !== null) return !to.startsWith(`${folder}/src/`);
        const owner = folders
          .map(manifestOf)
          .find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
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

describe("specifiers that begin with #", () => {
  const declared = folders.flatMap((folder) =>
    Object.entries(manifestOf(folder).imports ?? {}).map(([specifier, targets]) => ({ folder, specifier, targets })),
  );

  test.each(declared)("$specifier of $folder lead to files that are there, whatever the platform", (entry) => {
    const { folder, specifier, targets } = entry;
    for (const [condition, file] of conditionalTargets(folder, specifier))
      expect([condition, file, existsSync(join(root, file))]).toEqual([condition, file, true]);
    for (const [condition, target] of Object.entries(targets))
      expect([condition, target]).toEqual([
        condition,
        expect.stringMatching(condition === "source" ? /^\.\/src\/.*\.ts$/ : /^\.\/dist\/.*\.js$/),
      ]);
    // Conditions are tried in order; the last has to hold everywhere.
    expect(Object.keys(targets).at(-1)).toBe("default");
  });

  test("are used, and no others are", () => {
    const used = folders.flatMap((folder) =>
      sourceFiles(`${folder}/src`)
        .flatMap(importsOf)
        .filter(({ specifier }) => specifier.startsWith("#"))
        .map(({ specifier }) => `${specifier} of ${folder}`),
    );
    expect([...new Set(used)].sort()).toEqual(
      declared.map(({ specifier, folder }) => `${specifier} of ${folder}`).sort(),
    );
  });
});

describe("native code", () => {
  const native = `${framework}/backends/cpu/native`;
  const isNative = (file: string | null): boolean => file?.startsWith(`${native}/`) ?? false;
  const absent = `${native}/absent.ts`;

  test("is reached by #native alone, types excepted", () => {
    const wrong = frameworkImports.filter(
      ({ from, specifier, kind, to }) => kind !== "type" && !isNative(from) && isNative(to) && specifier !== "#native",
    );
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test("is all that #native leads to, by its face in Node and by its absence elsewhere", () => {
    expect(Object.fromEntries(conditionalTargets("packages/gradus", "#native"))).toEqual({
      source: `${native}/index.ts`,
      node: `${native}/index.ts`,
      default: absent,
    });
  });

  test("is the only part of the backends that is bound to Node", () => {
    const bound = frameworkImports.filter(
      ({ from, specifier, kind }) => roomOf(from) === "backends" && kind === "static" && specifier.startsWith("node:"),
    );
    expect(bound.length).toBeGreaterThan(0);
    expect(bound.filter(({ from }) => !isNative(from)).map(describeImport)).toEqual([]);
  });

  test("has an absence that imports nothing but types", () => {
    expect(
      importsOf(absent)
        .filter(({ kind }) => kind !== "type")
        .map(describeImport),
    ).toEqual([]);
  });

  test("does without koffi: it is an optional dependency, which one file imports when it is looked for", () => {
    const { dependencies, peerDependencies, optionalDependencies } = manifestOf("packages/gradus");
    expect({ ...dependencies, ...peerDependencies }).not.toHaveProperty("koffi");
    expect(optionalDependencies).toHaveProperty("koffi");
    const importing = folders
      .flatMap((folder) => sourceFiles(`${folder}/src`))
      .flatMap(importsOf)
      .filter(({ specifier, kind }) => specifier === "koffi" && kind !== "type");
    expect(importing.map(describeImport)).toEqual([`${native}/runtime.ts imports koffi (dynamic)`]);
  });
});

/** Every file that a browser loads when it loads `entry`, then or later, and what leads out of the package. */
function loadedWith(entry: string, kinds: readonly Import["kind"][] = ["static"]): Import[] {
  const seen = new Set<string>();
  const leaving: Import[] = [];
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const edge of importsOf(file)) {
      if (!kinds.includes(edge.kind) || (edge.condition ?? "default") !== "default") continue;
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

  test.each(browserEntries)("with %s, then or later, holds no module of Node and no koffi", (entry) => {
    const wrong = loadedWith(entry, ["static", "dynamic"]).filter(({ specifier }) => /^node:|^koffi$/.test(specifier));
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test("with a backend holds no module of Node either", () => {
    for (const backend of ["cpu", "reference"]) {
      const wrong = loadedWith(`${framework}/backends/${backend}/backend.ts`);
      expect(wrong.map(describeImport)).toEqual([]);
    }
  });

  test("does not reach another package by its part for Node", () => {
    const wrong = browserEntries
      .flatMap((entry) => loadedWith(entry))
      .filter(({ specifier }) => specifier.endsWith("/node"));
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
      'const g = await import("#native");',
      'let h: typeof import("node:fs");',
      '// import { i } from "./comment.ts";',
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
      ...["#native dynamic", "#native dynamic", "#native dynamic"],
      "node:fs type",
    ]);
  });

  test("finds the imports of this repository", () => {
    expect(frameworkImports.length).toBeGreaterThan(300);
    const missing = frameworkImports.filter(({ to }) => to !== null && !existsSync(join(root, to)));
    expect(missing.map(describeImport)).toEqual([]);
  });
});
