/** What is exported says of every tensor what the rewriting did to it; what comes back lands where it belongs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { exportPlan, importWeights, readArrays } from "../../src/exchange/index.js";
import { writeTensors } from "../../src/finetune/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Tensor } from "../../src/graph/ir.js";
import { elementBytes, float32Of, float32Tensor } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan } from "../../src/rewrite/index.js";
import { bytesOf, npyBytes } from "../data/files.js";
import { residualNet } from "../pipeline/networks.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { zoo } from "../zoo/index.js";
import { Layers } from "../zoo/layers.js";

/** numpy.ix_: the elements at the kept places, written down without halp's own slicing. */
function picked(tensor: Tensor, kept: readonly (readonly number[] | null)[]): Buffer {
  const width = elementBytes[tensor.dtype];
  const parts: Uint8Array[] = [];
  const walk = (axis: number, offset: number) => {
    if (axis === tensor.dims.length) {
      parts.push(tensor.bytes.subarray(offset * width, (offset + 1) * width));
      return;
    }
    const extent = tensor.dims[axis] as number;
    for (const p of kept[axis] ?? Array.from({ length: extent }, (_, i) => i)) walk(axis + 1, offset * extent + p);
  };
  walk(0, 0);
  return Buffer.concat(parts);
}

t.test("every tensor of the pruned network is the original's at the exported places", async (t) => {
  let cut = 0;
  let removed = 0;
  for (const network of zoo) {
    const opset = network.opsets?.[0] ?? 13;
    const net = new Layers(opset);
    network.build(net);
    const original = net.model(opset);
    const analyzed = analyzeGraph(original, findOperator, { batch: 2 });
    const coupling = analyzeCoupling(analyzed, findOperator);
    for (let seed = 0; seed < 4; seed++) {
      const plan = randomPlan(analyzed, coupling, seeded(seed), seed % 2 === 0 ? 0 : 0.5);
      const { model, vanishing } = applyPlan(analyzed, coupling, plan, findOperator);
      // A gate that became a constant is multiplied into the weight behind it: its places are right, its values others.
      const gated = vanishing.gates.size > 0;
      const exported = exportPlan(analyzed, coupling, plan, model.graph.initializers);
      const after = new Map(model.graph.initializers.map((x) => [x.name, x]));
      for (const tensor of original.graph.initializers) {
        const entry = exported.tensors[tensor.name];
        const left = after.get(tensor.name);
        if (!entry) t.fail(`${network.name}: nothing is said of ${tensor.name}`);
        else if (!left) {
          removed++;
          if (entry.state !== "removed" || entry.kept !== null || entry.prunedShape !== null)
            t.fail(`${network.name}: ${tensor.name} is gone`);
        } else {
          if (entry.kept?.some((k) => k !== null)) cut++;
          const same = Buffer.compare(picked(tensor, entry.kept ?? []), left.bytes) === 0;
          if (entry.state !== (same ? "same" : "changed") || (!same && !gated))
            t.fail(`${network.name}: ${tensor.name} is not what was exported`);
          if (`${left.dims}` !== `${entry.prunedShape}`) t.fail(`${network.name}: shape of ${tensor.name}`);
        }
        after.delete(tensor.name);
      }
      t.strictSame(Object.keys(exported.added).sort(), [...after.keys()].sort(), `${network.name}: what was added`);
      t.strictSame(
        exported.groups.map((g) => g.kept),
        plan.kept.map((k) => [...k]),
      );
      for (const layer of exported.layers.filter((l) => l.opType === "Conv" && !l.removed)) {
        const weight = exported.tensors[layer.tensors[0] ?? ""];
        const [before, now] = layer.group ?? [0, 0];
        t.equal(layer.outputs?.length ?? weight?.shape[0], weight?.prunedShape?.[0], "outputs are the first axis");
        const inputs = (weight?.shape[1] ?? 0) * before;
        t.equal(layer.inputs?.length ?? inputs, (weight?.prunedShape?.[1] ?? 0) * now, "inputs, over all blocks");
      }
    }
  }
  t.ok(cut > 500 && removed > 50, `${cut} tensors were cut, ${removed} removed`);
});

const analyzed = analyzeGraph(residualNet(), findOperator, {});
const coupling = analyzeCoupling(analyzed, findOperator);
const plan = randomPlan(analyzed, coupling, seeded(1), 0);
const pruned = applyPlan(analyzed, coupling, plan, findOperator).model;
/** The pruned network as some training might leave it. */
const learnt = new Map(
  pruned.graph.initializers
    .filter((x) => x.dtype === "float32")
    .map((x) => [x.name, { dims: x.dims, data: float32Of(x).map((v, i) => v * 1.25 + (i % 7) / 16) }]),
);

t.test("trained weights and networks of other runs are told apart", async (t) => {
  const trained = pruned.graph.initializers.map((x) => {
    const own = learnt.get(x.name);
    return own ? float32Tensor(x.name, own.dims, own.data) : x;
  });
  const states = Object.values(exportPlan(analyzed, coupling, plan, trained).tensors).map((x) => x.state);
  t.strictSame([...new Set(states)], ["changed"]);
  t.throws(() => exportPlan(analyzed, coupling, plan, analyzed.graph.initializers), { code: "HALP_EXPORT_MISMATCH" });
});

t.test("weights come back by name, whatever the file", async (t) => {
  const folder = t.testdir();
  const check = async (path: string, exact: boolean) => {
    const { model, taken, left, unused } = importWeights(pruned, await readArrays(path));
    t.strictSame([taken.length, left, unused], [learnt.size, [], []], path);
    for (const tensor of model.graph.initializers) {
      const expected = learnt.get(tensor.name)?.data;
      if (!expected) continue;
      const came = float32Of(tensor);
      const far = came.some(
        (v, i) => Math.abs(v - (expected[i] ?? 0)) > (exact ? 0 : 0.01 * Math.abs(expected[i] ?? 0)),
      );
      if (far) t.fail(`${path}: ${tensor.name}`);
    }
  };
  const stored = join(folder, "trained.safetensors");
  await writeTensors(stored, { tensors: learnt, metadata: {} });
  await check(stored, true);
  for (const [type, width] of [
    ["<f4", 4],
    ["<f8", 8],
  ] as const) {
    const archive = join(folder, `trained${width}.npz`);
    const arrays = [...learnt].map(([name, { dims, data }]) => {
      const bytes = bytesOf(width === 4 ? data : Float64Array.from(data));
      return [`${name}.npy`, npyBytes(type, dims, bytes)] as const;
    });
    writeFileSync(archive, zipSync(Object.fromEntries(arrays)));
    await check(archive, true);
  }
  // bfloat16, as large models are kept: the upper halves of the floats.
  const halves = join(folder, "trained16.safetensors");
  writeStored(halves, "BF16", (data) => Uint8Array.from(bytesOf(data).filter((_, i) => i % 4 >= 2)));
  await check(halves, false);
});

function writeStored(path: string, dtype: string, bytesFor: (data: Float32Array) => Uint8Array): void {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dims, data }] of learnt) {
    const bytes = bytesFor(data);
    header[name] = { dtype, shape: dims, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    parts.push(bytes);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
}

t.test("what does not fit is refused, and says what would", async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, "x"));
  const arrays = new Map(
    [...learnt].map(([name, { dims, data }]) => [name, { shape: dims, type: "float32", floats: () => data }] as const),
  );
  const [first = ""] = learnt.keys();
  const without = new Map([...arrays].filter(([name]) => name !== first));
  t.throws(() => importWeights(pruned, without), { code: "HALP_WEIGHTS_MISSING", message: first });
  t.strictSame(importWeights(pruned, without, { partial: true }).left, [first], "unless that is meant");
  const renamed = new Map([...arrays].map(([name, a]) => [`module.${name}`, a] as const));
  t.throws(() => importWeights(pruned, renamed, { partial: true }), {
    code: "HALP_WEIGHTS_MISSING",
    message: /module\./,
  });
  const names = Object.fromEntries([...arrays.keys()].map((name) => [name, `module.${name}`]));
  t.equal(importWeights(pruned, renamed, { names }).taken.length, learnt.size);
  t.throws(() => importWeights(pruned, arrays, { names: { nothing: first } }), { code: "HALP_WEIGHTS_NAMES" });
  t.throws(() => importWeights(pruned, arrays, { names: { [first]: `${first}x` } }), {
    code: "HALP_WEIGHTS_NAMES",
    message: `did you mean "${first}"?`,
  });
  const changed = (a: object) => new Map([...arrays].map(([n, x]) => [n, n === first ? { ...x, ...a } : x] as const));
  t.throws(() => importWeights(pruned, changed({ shape: [1, 2] })), { code: "HALP_WEIGHTS_SHAPE" });
  t.throws(() => importWeights(pruned, changed({ type: "int64" })), { code: "HALP_WEIGHTS_TYPE" });
  t.throws(() => importWeights(pruned, changed({ floats: () => Float32Array.of(Number.NaN) })), {
    code: "HALP_WEIGHTS_VALUES",
  });
  await t.rejects(readArrays(join(folder, "weights.pt")), { code: "HALP_WEIGHTS_FORMAT" });
  await t.rejects(readArrays(join(folder, "none.safetensors")), { code: "HALP_CHECKPOINT" });
  await t.rejects(readArrays(join(folder, "none.npz")), { code: "HALP_DATA_MISSING" });
});
