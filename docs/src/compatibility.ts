// Writes compatibility.md: PyTorch's public names, ours, and what is missing. What is there is looked up in the built
// packages, so the table cannot claim what is not; `--check` fails where the file is out of date.
//
// Run: npm run docs:names   (after npm run build)

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as gd from "gradus";

/** What tools/torch_names.py wrote. */
interface PytorchNames {
  readonly version: string;
  readonly names: Readonly<Record<string, readonly string[]>>;
}

const pytorch: PytorchNames = JSON.parse(readFileSync(new URL("../pytorch-names.json", import.meta.url), "utf8"));
const TARGET = fileURLToPath(new URL("../compatibility.md", import.meta.url));

/** Where names of an area are looked for, and how an answer is written. */
interface Area {
  readonly title: string;
  readonly names: readonly string[];
  /** Ours by name. */
  readonly places: readonly { readonly prefix: string; readonly holder: object }[];
  /** Names that concern what Gradus does not have: other devices, quantization, sparse tensors, distribution. */
  readonly outside?: RegExp;
  /** Long areas list names in running text instead of a table. */
  readonly isLong?: boolean;
}

const camelCase = (name: string): string =>
  name.replace(/(?<=.)_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Where a name of ours is no mere spelling of PyTorch's, or stands elsewhere. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "torch.nn.functional.one_hot": "oneHot",
  "torch.nn.functional.max_pool1d_with_indices": "maxPool1d with returnIndices",
  "torch.nn.functional.max_pool2d_with_indices": "maxPool2d with returnIndices",
  "torch.nn.functional.max_pool3d_with_indices": "maxPool3d with returnIndices",
  "torch.nn.functional.affine_grid": "affineGrid of @gradus/vision",
  "torch.nn.functional.grid_sample": "gridSample of @gradus/vision",
  "torch.utils.data.default_collate": "data.defaultCollate",
  "torch.load": "loadPt of gradus/node",
  "torch.save": "saveSafetensors of gradus/node",
  "torch.Tensor.numpy": "data()",
  "torch.Tensor.tolist": "toArray()",
};

const areas: readonly Area[] = [
  {
    title: "torch.nn",
    names: pytorch.names["torch.nn"],
    places: [{ prefix: "nn.", holder: gd.nn }],
    outside: /^(Container|DataParallel|SyncBatchNorm|RNNBase|RNNCellBase|NLLLoss2d|CrossMapLRN2d)$/,
  },
  {
    title: "torch.nn.functional",
    names: pytorch.names["torch.nn.functional"],
    places: [{ prefix: "F.", holder: gd.F }],
    outside: /^(native_channel_shuffle|conv_tbc|upsample.*|multi_head_attention_forward)$/,
  },
  {
    title: "torch.nn.init",
    names: pytorch.names["torch.nn.init"],
    places: [{ prefix: "nn.init.", holder: gd.nn.init }],
  },
  {
    title: "torch.nn.utils",
    names: pytorch.names["torch.nn.utils"],
    places: [{ prefix: "nn.utils.", holder: gd.nn.utils }],
    outside: /^(clip_grad_norm|convert_conv2d_weight_memory_format|fuse_.*|skip_init)$/,
  },
  {
    title: "torch.optim",
    names: pytorch.names["torch.optim"],
    places: [{ prefix: "optim.", holder: gd.optim }],
    outside: /Sparse/,
  },
  {
    title: "torch.optim.lr_scheduler",
    names: pytorch.names["torch.optim.lr_scheduler"],
    places: [{ prefix: "optim.", holder: gd.optim }],
  },
  {
    title: "torch.utils.data",
    names: pytorch.names["torch.utils.data"],
    places: [{ prefix: "data.", holder: gd.data }],
    outside: /[Pp]ipe|DataChunk|DataLoader2|Distributed|determini|validation|^(Dataset|Sampler)$/,
  },
  {
    title: "torch.Tensor",
    names: pytorch.names["torch.Tensor"],
    places: [{ prefix: "", holder: gd.Tensor.prototype }],
    outside:
      /^(q_|is_(coal|pinned|shared|set)|cuda|ipu|xpu|cpu|cfloat|cdouble|chalf|half|bfloat16|sparse|to_(sparse|mkldnn|dense)|.*(stride|storage|crow|ccol|row_ind|col_ind|pin_|names|dequant|int_repr|lu|geqrf|orgqr|ormqr|share_|record_|apply_|map_|as_subclass|data_ptr|resize|set_|module_load|inference|conj|complex|imag|resolve|dense_dim|coalesce|values|align|retain_grad|get_device|symeig|type$|_copy|_scatter|put|reinforce|register_hook|smm|sspaddmm|hspmm|new_))/,
    isLong: true,
  },
];

interface Found {
  readonly name: string;
  readonly ours: string | null;
}

function find(area: Area): Found[] {
  return area.names
    .filter((name) => !area.outside?.test(name))
    .map((name) => {
      const elsewhere = ELSEWHERE[`${area.title}.${name}`];
      if (elsewhere !== undefined) return { name, ours: elsewhere };
      for (const candidate of [name, camelCase(name)]) {
        for (const { prefix, holder } of area.places)
          if (candidate in holder) return { name, ours: prefix + candidate };
      }
      return { name, ours: null };
    });
}

function render(area: Area): string {
  const found = find(area);
  const there = found.filter(({ ours }) => ours !== null);
  const missing = found.filter(({ ours }) => ours === null).map(({ name }) => `\`${name}\``);
  const head = `## ${area.title}\n\n${there.length} of ${found.length} names.`;
  const lacking = missing.length === 0 ? "Missing: none." : `Missing: ${missing.join(", ")}.`;
  if (area.isLong) return `${head}\n\nThere: ${there.map(({ ours }) => `\`${ours}\``).join(", ")}.\n\n${lacking}\n`;
  const rows = there.map(({ name, ours }) => `| \`${name}\` | \`${ours}\` |`);
  return `${head} ${lacking}\n\n| PyTorch | Gradus |\n|---|---|\n${rows.join("\n")}\n`;
}

const page = `# Compatibility with PyTorch

What of PyTorch ${pytorch.version.split("+")[0]}'s public names Gradus has, under which name, and what is missing. Generated by
\`npm run docs:names\` from the built packages. Names that concern other devices, distributed training, quantization, sparse and
complex tensors are left out. Newer names that PyTorch 1.13 lacks, such as \`nn.RMSNorm\` and
\`F.scaledDotProductAttention\`, are there as well; [CONTRIBUTING.md](../CONTRIBUTING.md) says how to add what is not.

Functions and keyword arguments are spelled in camelCase; positional arguments are PyTorch's first ones, the rest are fields of an options object.

${areas.map(render).join("\n")}`;

if (process.argv.includes("--check")) {
  if (readFileSync(TARGET, "utf8") !== page) {
    console.error("docs/compatibility.md is out of date. Run: npm run docs:names");
    process.exitCode = 1;
  }
} else writeFileSync(TARGET, page);
