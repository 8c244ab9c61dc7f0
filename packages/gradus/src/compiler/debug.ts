// What the compiler made of a step, in print: GRADUS_DEBUG=graph,kernels,loops,plan; and how
// long its kernels took: GRADUS_DEBUG=time.

import { type Node, topologicalOrder } from "../graph/index.ts";
import type { FusedGraph } from "./fuse.ts";
import type { Index } from "./index-expression.ts";
import type { BufferReference, Expression, Statement } from "./ir.ts";
import { bytesOf, type KernelAccess } from "./plan.ts";
import type { Program } from "./program.ts";
import { isStaged } from "./stages.ts";

export type DebugTopic = "graph" | "kernels" | "loops" | "plan" | "time";

/** Reads the environment, where there is one; in a browser `globalThis.GRADUS_DEBUG`. */
export function debugging(topic: DebugTopic): boolean {
  const fromGlobal = (globalThis as { GRADUS_DEBUG?: string }).GRADUS_DEBUG;
  const fromEnvironment = typeof process === "undefined" ? undefined : process.env?.GRADUS_DEBUG;
  return (fromGlobal ?? fromEnvironment ?? "").split(",").includes(topic);
}

const print = (text: string): void => console.error(text);

function describeAttributes(node: Node): string {
  return Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}=${Array.isArray(value) ? `[${value}]` : value}`)
    .join("");
}

const typeOf = (node: Node): string => `${node.dtype}[${node.shape.join(",")}]`;

export function printGraph(outputs: readonly Node[]): void {
  const order = topologicalOrder(outputs);
  print(`graph: ${order.length} nodes, ${outputs.length} outputs`);
  for (const node of order) {
    const inputs = node.inputs.map((input) => `%${input.id}`).join(", ");
    const mark = outputs.includes(node) ? " -> output" : "";
    print(`  %${node.id} = ${node.op}(${inputs})${describeAttributes(node)} : ${typeOf(node)}${mark}`);
  }
}

export function printKernels({ groups }: FusedGraph, references: ReadonlyMap<Node, readonly BufferReference[]>): void {
  print(`kernels: ${groups.length}`);
  groups.forEach((group, i) => {
    for (const kernel of group) {
      const anchors = kernel.anchors.map((node) => `${node.op} %${node.id}${describeAttributes(node)}`).join(" + ");
      const name = (node: Node): string =>
        references
          .get(node)
          ?.map((buffer) => buffer.name)
          .join("=") ?? `%${node.id}`;
      const list = (nodes: Iterable<Node>): string => [...nodes].map(name).join(", ");
      const typed = (nodes: Iterable<Node>): string =>
        [...nodes].map((node) => `${name(node)}:${typeOf(node)}`).join(", ");
      print(`  ${String(i).padStart(2)} ${kernel.kind} [${kernel.shape.join(",")}] ${anchors}`);
      for (const stage of isStaged(kernel) ? kernel.stages : []) {
        const { kind, shape, outputs, reads } = stage.kernel;
        print(`       ${kind} [${shape.join(",")}] of ${list(reads)} to ${typed(outputs)}`);
      }
      print(`       reads ${list(kernel.reads)}\n       writes ${typed(kernel.outputs)}`);
    }
  });
}

export function printPlan(program: Program, accesses: readonly KernelAccess[]): void {
  const { plan } = program;
  const ratio = plan.liveBytes === 0 ? 1 : plan.arenaBytes / plan.liveBytes;
  print(
    `plan: arena ${plan.arenaBytes} bytes, ${ratio.toFixed(2)} times the peak of live bytes; ` +
      `${plan.barriers.filter(Boolean).length} barriers; scratch ${program.scratchBytes} bytes a thread`,
  );
  for (const [buffer, offset] of plan.offsets) {
    const used = accesses.flatMap(({ reads, writes }, i) =>
      reads.includes(buffer) || writes.includes(buffer) ? [i] : [],
    );
    print(`  ${buffer.name} at ${offset}, ${bytesOf(buffer)} bytes, kernels ${used[0]} to ${used[used.length - 1]}`);
  }
}

export function printLoops({ kernels, plan }: Program): void {
  kernels.forEach(({ name, phases }, i) => {
    if (plan.barriers[i]) print("barrier");
    print(`kernel ${i}: ${name}`);
    phases.forEach((phase, j) => {
      if (j > 0) print("  barrier");
      for (const line of phase.body.flatMap((statement) => formatStatement(statement))) print(`  ${line}`);
    });
  });
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

export function formatStatement(statement: Statement): string[] {
  switch (statement.op) {
    case "for": {
      const { variable, from, to, step, parallel } = statement;
      const head = `${parallel ? "parallel " : ""}for ${variable.name}${variable.id} = ${formatIndex(from)} to ${formatIndex(to)}`;
      return [`${head}${step === 1 ? "" : ` step ${step}`}`, ...indent(statement.body.flatMap(formatStatement))];
    }
    case "assign":
      return [`${statement.register.name} = ${formatExpression(statement.value)}`];
    case "store":
      return [`${statement.buffer.name}[${formatIndex(statement.index)}] = ${formatExpression(statement.value)}`];
    case "scatter": {
      const lanes = statement.count === undefined ? "" : ` in ${formatExpression(statement.count)} lanes`;
      return [
        `${statement.buffer.name}[${formatExpression(statement.at)}] = ${formatExpression(statement.value)}${lanes}`,
      ];
    }
    case "put": {
      const offset = statement.offset === 0 ? "" : ` + ${statement.offset}`;
      const lanes = statement.count === undefined ? "" : ` in ${formatExpression(statement.count)} lanes`;
      return [
        `${statement.buffer.name}@(${formatExpression(statement.address)}${offset}) = ${formatExpression(statement.value)}${lanes}`,
      ];
    }
    case "if":
      return [
        `if ${formatExpression(statement.condition)}`,
        ...indent(statement.whenTrue.flatMap(formatStatement)),
        ...(statement.whenFalse.length > 0 ? ["else", ...indent(statement.whenFalse.flatMap(formatStatement))] : []),
      ];
  }
}

function formatIndex(index: Index): string {
  const terms = index.terms.map(({ atom, coefficient }) => {
    const factor = coefficient === 1 ? "" : `${coefficient} `;
    if (atom.kind === "variable") return `${factor}${atom.variable.name}${atom.variable.id}`;
    if (atom.kind === "value") return `${factor}${formatExpression(atom.value)}`;
    return `${factor}(${formatIndex(atom.of)} ${atom.kind === "quotient" ? "/" : "%"} ${atom.by})`;
  });
  if (index.constant !== 0 || terms.length === 0) terms.push(String(index.constant));
  return terms.join(" + ");
}

const binarySigns: { readonly [fn: string]: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
};

function formatExpression(expression: Expression): string {
  const { node } = expression;
  const show = formatExpression;
  switch (node.op) {
    case "constant":
      return node.values.every((value) => value === node.values[0])
        ? String(node.values[0])
        : `(${node.values.join(" ")})`;
    case "index":
      return formatIndex(node.index);
    case "load":
      return `${node.buffer.name}[${formatIndex(node.index)}]${expression.lanes > 1 ? `x${expression.lanes}` : ""}${node.guard ? ` if ${show(node.guard)}` : ""}`;
    case "gather":
      return `${node.buffer.name}[${show(node.at)}]${node.guard ? ` if ${show(node.guard)}` : ""}`;
    case "fetch":
      return `${node.buffer.name}@(${show(node.address)}${node.offset ? ` + ${node.offset}` : ""})${expression.lanes > 1 ? `x${expression.lanes}` : ""}${node.guard ? ` if ${show(node.guard)}` : ""}`;
    case "read":
      return node.register.name;
    case "variable":
      return `${node.variable.name}${node.variable.id}`;
    case "base":
      return `&${node.buffer.name}`;
    case "binary":
    case "compare": {
      const sign = binarySigns[node.fn];
      return sign ? `(${show(node.a)} ${sign} ${show(node.b)})` : `${node.fn}(${show(node.a)}, ${show(node.b)})`;
    }
    case "unary":
      return `${node.fn}(${show(node.x)})`;
    case "select":
    case "choose":
      return `${node.op}(${show(node.condition)}, ${show(node.a)}, ${show(node.b)})`;
    case "fma":
      return `fma(${show(node.a)}, ${show(node.b)}, ${show(node.c)})`;
    case "convert":
    case "bitcast":
      return `${expression.kind}${node.op === "bitcast" ? "bits" : ""}(${show(node.x)})`;
    case "call":
      return `${node.fn}(${node.args.map(show).join(", ")})`;
    case "splat":
      return `splat(${show(node.x)})`;
    case "shuffle":
      return `shuffle(${show(node.a)}, ${show(node.b)}: ${node.pattern.join(" ")})`;
    case "gatherLanes":
      return `lanes(${node.elements.map(show).join(", ")})`;
    case "checked":
      return `checked(${show(node.x)} < ${node.limit})`;
    case "lane":
      return `${show(node.x)}.${node.lane}`;
  }
}
