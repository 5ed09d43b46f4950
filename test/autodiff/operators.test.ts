/** Every gradient rule against central differences on random nodes of its operator, at random opsets. */
import fc from "fast-check";
import t from "tap";
import { HalpError } from "../../src/errors.js";
import { attr } from "../../src/graph/attributes.js";
import type { Model, Tensor, ValueInfo } from "../../src/graph/ir.js";
import { sizeOf } from "../../src/graph/tensors.js";
import { numbersOf } from "../../src/operators/elements.js";
import { allOperators } from "../../src/operators/index.js";
import { createSession, type RuntimeTensor } from "../../src/runtime/index.js";
import { computingNodes } from "../operators/computing-nodes.js";
import { layoutNodes } from "../operators/layout-nodes.js";
import { type Draw, drawing, dtypeAttr, type RandomNode } from "../operators/random-node.js";
import { windowNodes } from "../operators/window-nodes.js";
import { checkGradient, numbers } from "./check-gradient.js";

const runs = 25;
const { Resize: resize, Pad: pad } = { ...windowNodes, ...layoutNodes } as {
  readonly [name in "Resize" | "Pad"]: (d: Draw) => RandomNode;
};
const withAttributes = (node: RandomNode, more: NonNullable<RandomNode["attributes"]>): RandomNode => ({
  ...node,
  attributes: { ...node.attributes, ...more },
});
const makers: typeof windowNodes = {
  ...windowNodes,
  ...computingNodes,
  ...layoutNodes,
  Resize: (d) => {
    const node = resize(d);
    if (node.opset < 11) return node;
    const modes = ["asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"];
    return withAttributes(node, {
      coordinate_transformation_mode: attr.string(d.of(...modes)),
      nearest_mode: attr.string(d.of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")),
      ...(d.int(0, 3) === 0 ? { mode: attr.string("cubic"), exclude_outside: attr.int(d.int(0, 1)) } : {}),
    });
  },
  Pad: (d) => {
    const node = pad(d);
    return withAttributes(node, { mode: attr.string(d.of("constant", "constant", "edge", "reflect")) });
  },
  Cast: (d) => ({ opset: d.of(9, 13), attributes: { to: dtypeAttr("float32") }, inputs: [d.floats(d.dims(0, 3))] }),
};
/** Newer than the runtime's kernels. */
const untested = ["Swish"];

/** Inputs that are parameters of the operator rather than data: they stay constants. */
const constants: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  Pad: [2],
  Resize: [1, 2],
  Upsample: [1],
  GroupNormalization: [1, 2],
};

/**
 * Data on a grid of tenths, half a step off it: at least 0.05 from every kink at a multiple of a tenth, and from each
 * other by 0.1. `spread` says how many values there are before they repeat (extremes need them all distinct).
 */
function gridValues(count: number, spread: number, next: () => number): number[] {
  const values = Array.from(
    { length: count },
    (_, i) => ((i % spread) - Math.floor(Math.min(count, spread) / 2) + 0.5) * 0.1,
  );
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j] as number, values[i] as number];
  }
  return values;
}

/** Operators whose makers draw integers, where only floats have gradients. */
const drawnAsIntegers: Readonly<Record<string, readonly number[]>> = {
  Unsqueeze: [0],
  Tile: [0],
  Expand: [0],
  Concat: [0, 1, 2, 3],
  Gather: [0],
};
/** Opsets that the rule needs. */
const opsets: Readonly<Record<string, number>> = { GatherElements: 18, GatherND: 18 };

const distinct =
  /^(TopK|MeanVarianceNormalization|Max|Min|MaxPool|GlobalMaxPool|ReduceMax|ReduceMin|(Instance|Layer|Group)Normalization)$/;
/** Statistics over one or two elements amplify rounding. */
const amplifies = /^(Instance|Group)Normalization$/;
const positive = (v: number) => 1.2 + 0.5 * Math.abs(v);
const small = (v: number) => 0.35 * v;
/** Where the values of an input must lie. */
const domains: Readonly<Record<string, (v: number, input: number) => number>> = {
  Log: positive,
  Sqrt: positive,
  Reciprocal: positive,
  ReduceLogSum: positive,
  ReduceProd: positive,
  Acosh: positive,
  LpPool: positive,
  GlobalLpPool: positive,
  LpNormalization: positive,
  MeanVarianceNormalization: (v) => 3 * v,
  Tan: small,
  Asin: small,
  Acos: small,
  Atanh: small,
  Pow: positive,
  Div: (v, input) => (input === 1 ? positive(v) : v),
  GroupNormalization: (v, input) => (input === 0 ? 10 * v : v),
  InstanceNormalization: (v, input) => (input === 0 ? 3 * v : v),
  LayerNormalization: (v, input) => (input === 0 ? 10 * v : v),
  BatchNormalization: (v, input) => (input === 4 ? positive(v) : v),
};

interface Case {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
}

function caseOf(opType: string, random: RandomNode, seed: number): Case | undefined {
  const next = numbers(seed);
  const initializers: Tensor[] = [];
  const graphInputs: ValueInfo[] = [];
  const feeds: Record<string, RuntimeTensor> = {};
  const isData = (tensor: Tensor, i: number) =>
    (tensor.dtype === "float32" || drawnAsIntegers[opType]?.includes(i)) &&
    !constants[opType]?.includes(i) &&
    sizeOf(tensor.dims) > 0;
  const sizes = random.inputs.map((tensor, i) => (tensor && isData(tensor, i) ? sizeOf(tensor.dims) : 0));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total === 0) return undefined;
  const values = gridValues(total, distinct.test(opType) ? total : 30, next);
  let at = 0;
  const names = random.inputs.map((tensor, i) => {
    if (!tensor) return "";
    const name = `in${i}`;
    if (!isData(tensor, i)) {
      initializers.push({ ...tensor, name });
      if (opType === "BatchNormalization" && i === 4)
        initializers[initializers.length - 1] = {
          ...tensor,
          name,
          bytes: new Uint8Array(Float32Array.from({ length: tensor.bytes.byteLength / 4 }, () => 0.5 + next()).buffer),
        };
      return name;
    }
    const count = sizes[i] as number;
    const data = Float32Array.from(values.slice(at, at + count), (v) => domains[opType]?.(v, i) ?? v);
    at += count;
    // Half of the weights of convolutions are constants, and the rules may use that.
    if (i > 0 && /Conv/.test(opType) && seed % 2 === 0) {
      initializers.push({ ...tensor, name, bytes: new Uint8Array(data.buffer) });
      return name;
    }
    graphInputs.push({ name, dtype: "float32", dtypeCode: 1, dims: tensor.dims });
    feeds[name] = { dtype: "float32", dims: tensor.dims, data };
    return name;
  });
  while (names.at(-1) === "") names.pop();
  const outputs = Array.from({ length: random.outputs ?? 1 }, (_, i) => `out${i}`);
  const attributes = new Map(Object.entries(random.attributes ?? {}));
  const model: Model = {
    irVersion: 8,
    opsets: [{ domain: "", version: opsets[opType] ?? random.opset }],
    metadata: [],
    graph: {
      name: opType,
      nodes: [{ name: "it", opType, domain: "", inputs: names, outputs, attributes }],
      inputs: graphInputs,
      outputs: outputs.map((name) => ({ name })),
      valueInfos: [],
      initializers,
    },
  };
  return { model, feeds };
}

function shown({ model, feeds }: Case): string {
  const [node] = model.graph.nodes;
  const attributes = [...(node?.attributes ?? [])].map(
    ([name, a]) =>
      `${name}=${a.kind === "string" ? new TextDecoder().decode(a.value) : a.kind === "tensor" ? "tensor" : a.value}`,
  );
  const inputs = Object.entries(feeds).map(([name, x]) => `${name}[${x.dims}]`);
  const fixed = model.graph.initializers.map((w) => `${w.name}[${w.dims}]=${numbersOf(w)?.slice(0, 8)}`);
  return `opset ${model.opsets[0]?.version} ${attributes.join(" ")} ${inputs.join(" ")} ${fixed.join(" ")}`;
}

function runsAtAll({ model, feeds }: Case): boolean {
  try {
    using session = createSession(model, { optimization: "disabled" });
    const made = session.run(feeds);
    // A single element normalised by itself is 0 / 0.
    const finite = Object.values(made).every(({ data }) => Array.from(data, Number).every(Number.isFinite));
    if (!finite) return false;
    // At loading the runtime states wrong shapes for some pools (auto_pad with ceil_mode) and then plans memory by them.
    return session.outputs.every((o) => o.dims.every((d, i) => typeof d !== "number" || d === made[o.name]?.dims[i]));
  } catch (e) {
    if (e instanceof HalpError && /^HALP_RUNTIME_(LOAD|RUN)$/.test(e.code)) return false;
    throw e;
  }
}

const withGradient = allOperators()
  .filter((spec) => spec.gradient)
  .map((spec) => spec.opType);

for (const opType of withGradient) {
  if (untested.includes(opType)) continue;
  t.test(opType, async (t) => {
    const make = makers[opType];
    if (!make) return t.fail(`no random nodes of ${opType}`);
    let checked = 0;
    let refused = "";
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min: 1, max: 1e6 }), (g, seed) => {
        const found = caseOf(opType, make(drawing(g)), seed);
        if (!found) return;
        // The makers also draw what the runtime has no kernel for, and what a rule refuses by name.
        if (!runsAtAll(found)) return;
        try {
          const check = checkGradient(found.model, found.feeds, Object.keys(found.feeds), {
            seed,
            slack: amplifies.test(opType) ? 4 : 1,
          });
          checked++;
          if (!(check.badness <= 1))
            throw new Error(`${check.badness.toFixed(1)} times too far: ${check.report}; ${shown(found)}`);
        } catch (e) {
          if (!(e instanceof HalpError) || e.code !== "HALP_NO_GRADIENT") throw e;
          refused = e.message;
        }
      }),
      { numRuns: runs, seed: 7, endOnFailure: true },
    );
    t.ok(checked >= 3, `${checked} of ${runs} nodes checked; last refusal: ${refused}`);
  });
}
