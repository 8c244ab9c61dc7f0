// Gradus: deep learning in TypeScript. This is the public face: `import * as gd from "gradus"`.

export * from "./tensor/index.ts";
