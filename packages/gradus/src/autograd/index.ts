// Automatic differentiation. Leans on the graph.

export * from "./gradient.ts";
export { gradientRules } from "./rules.ts";
