/** The process in which layers are timed on ONNX Runtime's CUDA provider: by the wall clock, for there is no other. */
import {
  createSession,
  loadAddon,
  lowerMean,
  runtimeVersion,
  type Samples,
  type Session,
  serveParent,
  summarize,
} from "../runtime/index.js";
import type { LayerConfig } from "./config.js";
import { buildCopies, keepCopies } from "./copies.js";

export interface OrtCudaTask {
  readonly config: LayerConfig;
  readonly index: number;
  readonly runs: number;
}
export interface OrtCudaTimed {
  /** Nanoseconds of one copy: mean of the lower halves of long and of short runs, subtracted. */
  readonly ns: number;
  /** Of the differences within one round. */
  readonly samples: Samples;
  /** What a run costs besides its copies. */
  readonly restNs: number;
}
export interface OrtCudaOpened {
  readonly runtimeVersion: string;
  /** As the driver calls it; undefined where the addon cannot ask. */
  readonly gpuName: string | undefined;
}

const few = 4;
const many = 24;
const warmUps = 5;

serveParent({
  open: ({ index }: { index: number }): OrtCudaOpened => ({ runtimeVersion: runtimeVersion(), gpuName: nameOf(index) }),
  time: ({ config, index, runs }: OrtCudaTask): OrtCudaTimed => {
    const open = (count: number) => {
      const { model, feeds } = buildCopies(config, count);
      return { session: createSession(model, { cudaDevice: index, config: keepCopies }), feeds };
    };
    const short = open(few);
    using _short: Session = short.session;
    const long = open(many);
    using _long: Session = long.session;
    const timed = ({ session, feeds }: typeof short): number => {
      const start = process.hrtime.bigint();
      session.run(feeds);
      return Number(process.hrtime.bigint() - start);
    };
    for (let i = 0; i < warmUps; i++) for (const each of [short, long]) timed(each);
    const shortNs = new Float64Array(runs);
    const longNs = new Float64Array(runs);
    // By turns, so that a drift of the clock falls out of the difference.
    for (let i = 0; i < runs; i++) {
      shortNs[i] = timed(short);
      longNs[i] = timed(long);
    }
    const ns = Math.max(0, (lowerMean(longNs) - lowerMean(shortNs)) / (many - few));
    const differences = longNs.map((t, i) => Math.max(0, (t - (shortNs[i] ?? 0)) / (many - few)));
    return { ns, samples: summarize(differences), restNs: Math.max(0, lowerMean(shortNs) - few * ns) };
  },
});

function nameOf(index: number): string | undefined {
  try {
    return loadAddon().addon?.cudaDevices()[index]?.name;
  } catch {
    return undefined;
  }
}
