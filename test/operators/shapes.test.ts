/** Every operator's shape rule, and the values it folds, against ONNX Runtime on random nodes. */
import fc from "fast-check";
import t from "tap";
import { HalpError } from "../../src/errors.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model, Tensor } from "../../src/graph/ir.js";
import { numbersOf } from "../../src/operators/elements.js";
import { allOperators, findOperator } from "../../src/operators/index.js";
import type { Outputs } from "../../src/runtime/index.js";
import { runAll } from "../graph/run-all.js";
import { computingNodes } from "./computing-nodes.js";
import { layoutNodes } from "./layout-nodes.js";
import { drawing, type RandomNode } from "./random-node.js";
import { windowNodes } from "./window-nodes.js";

const runs = 30;
const makers = { ...windowNodes, ...computingNodes, ...layoutNodes };
/** How much it makes only a run tells. */
const untested = ["NonZero"];

function modelOf(opType: string, random: RandomNode): Model {
  const initializers: Tensor[] = [];
  const inputs = random.inputs.map((tensor, i) => {
    if (!tensor) return "";
    initializers.push({ ...tensor, name: `in${i}` });
    return `in${i}`;
  });
  while (inputs.at(-1) === "") inputs.pop();
  const outputs = Array.from({ length: random.outputs ?? 1 }, (_, i) => `out${i}`);
  const node = {
    name: "it",
    opType,
    domain: "",
    inputs,
    outputs,
    attributes: new Map(Object.entries(random.attributes ?? {})),
  };
  return {
    irVersion: 8,
    opsets: [{ domain: "", version: random.opset }],
    metadata: [],
    graph: {
      name: opType,
      nodes: [node],
      inputs: [],
      outputs: outputs.map((name) => ({ name })),
      valueInfos: [],
      initializers,
    },
  };
}

/** The same with nothing known but dims: every operand comes at run time. */
function withoutValues(model: Model): Model {
  const { graph } = model;
  const inputs = graph.initializers.map(({ name, dtype, dtypeCode, dims }) => ({ name, dtype, dtypeCode, dims }));
  return { ...model, graph: { ...graph, inputs, initializers: [] } };
}

/** What the runtime makes of it; undefined where it refuses the model. */
function truthOf(model: Model): Outputs | undefined {
  try {
    return runAll(model);
  } catch (e) {
    if (e instanceof HalpError && /^HALP_RUNTIME_(LOAD|RUN)$/.test(e.code)) return undefined;
    throw e;
  }
}

t.test("every operator is tested", async (t) => {
  const known = allOperators().map((spec) => spec.opType);
  t.strictSame([...Object.keys(makers), ...untested].sort(), known.toSorted());
  t.equal(new Set(known).size, known.length, "no operator is in two families");
});

for (const [opType, make] of Object.entries(makers))
  t.test(opType, async (t) => {
    let accepted = 0;
    let folded = 0;
    fc.assert(
      fc.property(fc.gen(), (g) => {
        const model = modelOf(opType, make(drawing(g)));
        const truth = truthOf(model);
        if (!truth) return;
        accepted++;
        const { types, constants } = analyzeGraph(model, findOperator);
        const blind = analyzeGraph(withoutValues(model), findOperator).types;
        for (const [name, { dtype, dims, data }] of Object.entries(truth)) {
          const shown = (type: { dtype: string; dims: readonly number[] } | undefined) =>
            type && `${type.dtype}[${type.dims}]`;
          const say = `opset ${model.opsets[0]?.version}, ${JSON.stringify(
            [...(model.graph.nodes[0]?.attributes ?? [])].map(([k, a]) => [
              k,
              a.kind,
              a.kind === "string" ? Buffer.from(a.value).toString() : String(a.value),
            ]),
          )}, ${model.graph.initializers.map((x) => `${shown(x)}${x.bytes.length <= 64 ? `{${numbersOf(x)}}` : ""}`)}`;
          if (shown(types.get(name)) !== shown({ dtype, dims }))
            throw new Error(`${name}: expected ${dtype}[${dims}], came ${shown(types.get(name))}; ${say}`);
          if (shown(blind.get(name) ?? { dtype, dims }) !== shown({ dtype, dims }))
            throw new Error(`${name}: expected ${dtype}[${dims}] or nothing, came ${shown(blind.get(name))}; ${say}`);
          const constant = constants.get(name);
          if (!constant) continue;
          folded++;
          const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
          if (Buffer.compare(bytes, constant.bytes) !== 0)
            throw new Error(`${name}: expected ${data}, came bytes ${constant.bytes}; ${say}`);
        }
      }),
      { numRuns: runs },
    );
    t.ok(accepted > runs / 3, `${accepted} of ${runs} nodes accepted by the runtime`);
    if (findOperator(opType, "")?.evaluate) t.ok(folded > 0, `${folded} values folded`);
  });
