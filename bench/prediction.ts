/**
 * How well the latency table predicts: networks as they are and under random widths, predicted against measured.
 *
 *     npm run bench -- prediction [NAME ...] [--variants 8] [--seed 1] [--step 8] [--samples 40] [--cache DIR]
 *
 * The networks are timed interleaved, before and after the layers are, and again while the machine is busy. The
 * sum of the network's own kernels, from a profile of it, tells the table's error from what other work on the machine does
 * to a whole run: a kernel often escapes it, a run of many milliseconds never does.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { analyzeCoupling, type Coupling } from "../src/coupling/index.js";
import { analyzeGraph } from "../src/graph/infer.js";
import type { Model } from "../src/graph/ir.js";
import {
  createLatencyTable,
  type LayerConfig,
  measureMissing,
  networkConfigs,
  networkOf,
  predictNs,
} from "../src/latency/index.js";
import { encodeModel } from "../src/onnx/index.js";
import { findOperator } from "../src/operators/index.js";
import { applyPlan } from "../src/rewrite/index.js";
import { measureModels, quantileOf, type Samples, spawnChild, uniform } from "../src/runtime/index.js";
import type { KernelTask } from "./prediction/kernel-child.js";
import { type Subject, subjects } from "./prediction/networks.js";

interface Row {
  readonly name: string;
  readonly predicted: number;
  readonly measured: number;
  /** The fastest sample of both runs: on a busy machine nearer to what a layer takes undisturbed. */
  readonly fastest: number;
  /** Sum of the network's own kernels, and what a run costs besides. */
  readonly kernels: number;
  readonly spread: number;
}

export async function benchPrediction(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      variants: { type: "string", default: "8" },
      seed: { type: "string", default: "1" },
      step: { type: "string", default: "8" },
      samples: { type: "string", default: "40" },
      cache: { type: "string" },
    },
  });
  const [variants, seed, step, samples] = [values.variants, values.seed, values.step, values.samples].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  console.log(`${cpus()[0]?.model}, Node ${process.version}, seed ${seed}, one thread; microseconds`);
  const table = await createLatencyTable(values.cache === undefined ? {} : { cacheDir: values.cache });
  const all: number[] = [];
  const quiet: number[] = [];
  const own: number[] = [];
  for (const subject of subjects) {
    if (positionals.length > 0 && !positionals.includes(subject.name)) continue;
    const dense = subject.model();
    if (!dense) {
      console.log(`${subject.name}: not at hand`);
      continue;
    }
    const models = [dense, ...narrower(dense, subject, variants, seed, step)];
    const inputName = inputOf(dense);
    const configs: (readonly LayerConfig[])[] = models.map((m) =>
      networkConfigs(networkOf(analyze(m, subject), table.device.traits), { dimsOf: () => undefined }),
    );
    const bytes = models.map(encodeModel);
    const time = () => measureModels(bytes, { inputs: { [inputName]: subject.dims }, samples, limitMs: 15_000, seed });
    using child = spawnChild(new URL("./prediction/kernel-child.js", import.meta.url));
    const { nodeNs, runNs } = table.device.calibration;
    const profile = async (): Promise<number[]> => {
      const sums: number[] = [];
      for (const model of bytes) {
        const task: KernelTask = { model, input: inputName, dims: subject.dims, nodeNs };
        sums.push(runNs + (await child.request<number>("sum", task)));
      }
      return sums;
    };
    const before = await time();
    const kernelsBefore = await profile();
    const started = process.hrtime.bigint();
    const layers = await measureMissing(table, configs.flat(), { onWarning: (m) => console.error(m) });
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const kernelsAfter = await profile();
    const passes = [before, await time()];
    // a busy machine is asked again: what it takes undisturbed is what the table tells
    const isSteady = (i: number) => passes.some(({ latencies }) => spreadOf(latencies[i]!) < steady);
    while (passes.length < mostPasses && !models.every((_, i) => isSteady(i))) passes.push(await time());
    const rows: Row[] = models.map((_, i) => {
      const seen = passes.map(({ latencies }) => latencies[i]!);
      // The table says what a layer takes undisturbed; so does the first quartile of the best pass.
      const measured = Math.min(...seen.map((s) => s.q1));
      return {
        name: i === 0 ? "dense" : `random ${i}`,
        predicted: predictNs(table, configs[i]!),
        measured,
        fastest: Math.min(...seen.map((s) => s.min)),
        kernels: Math.min(kernelsBefore[i]!, kernelsAfter[i]!),
        spread: Math.min(...seen.map(spreadOf)),
      };
    });
    console.log(`\n${subject.name}: ${layers} layers in ${seconds.toFixed(1)} s`);
    for (const r of rows)
      console.log(
        `  ${r.name.padEnd(10)} predicted ${us(r.predicted)}  measured ${us(r.measured)}  ${percent(r.predicted / r.measured - 1)}  fastest ${us(r.fastest)}  ${percent(r.predicted / r.fastest - 1)}  kernels ${us(r.kernels)}  ${percent(r.predicted / r.kernels - 1)}` +
          `   ratio to dense ${(r.predicted / rows[0]!.predicted).toFixed(3)} / ${(r.measured / rows[0]!.measured).toFixed(3)}` +
          `   spread ${percent(r.spread)}`,
      );
    all.push(...rows.map((r) => Math.abs(r.predicted / r.measured - 1)));
    own.push(...rows.map((r) => Math.abs(r.predicted / r.kernels - 1)));
    quiet.push(...rows.map((r) => Math.abs(r.predicted / r.fastest - 1)));
  }
  for (const [what, errors] of [
    ["first quartile", all],
    ["fastest sample", quiet],
    ["sum of its own kernels", own],
  ] as const) {
    const sorted = Float64Array.from(errors).sort();
    const [median, worst] = [quantileOf(sorted, 0.5), sorted.at(-1) ?? 0];
    console.log(`${all.length} networks against the ${what}: error median ${percent(median)}, worst ${percent(worst)}`);
  }
}

/** Networks are timed again until their quartiles lie this close in some pass, or so many times. */
const steady = 0.06;
const mostPasses = 6;

const spreadOf = ({ q1, median, q3 }: Samples): number => (q3 - q1) / median;

const us = (ns: number): string => (ns / 1000).toFixed(0).padStart(7);
const percent = (v: number): string => `${(100 * v).toFixed(1)}%`.padStart(6);

function inputOf(model: Model): string {
  const held = new Set(model.graph.initializers.map((i) => i.name));
  return model.graph.inputs.find((i) => !held.has(i.name))?.name ?? "";
}

function analyze(model: Model, subject: Subject) {
  return analyzeGraph(model, findOperator, { inputs: { [inputOf(model)]: subject.dims } });
}

/** The network under random widths, multiples of `step` where a group has so many channels. */
function narrower(dense: Model, subject: Subject, count: number, seed: number, step: number): Model[] {
  const analyzed = analyze(dense, subject);
  const coupling: Coupling = analyzeCoupling(analyzed, findOperator);
  const random = uniform(seed);
  return Array.from({ length: count }, () => {
    const kept = coupling.groups.map((g) => {
      const wanted = Math.round((g.size * (0.3 + 0.7 * random())) / step) * step;
      const n = g.frozen === undefined ? Math.min(g.size, Math.max(Math.min(step, g.size), wanted)) : g.size;
      return Int32Array.from({ length: n }, (_, i) => i);
    });
    return applyPlan(analyzed, coupling, { kept }, findOperator).model;
  });
}
