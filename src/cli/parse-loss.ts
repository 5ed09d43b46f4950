/** The terms of a loss as they stand on the command line. */
import { readFileSync } from "node:fs";
import { HalpError } from "../errors.js";
import type { LossTerm } from "../finetune/index.js";
import { decodeModel } from "../onnx/index.js";

export interface LossDetails {
  readonly labelSmoothing?: number;
  readonly temperature?: number;
}

/**
 * "cross-entropy", "cross-entropy,0.5*soft-labels", "outputs,values:NAME+NAME", "scores:SCORES,2*boxes:BOXES+SCORES", "own.onnx".
 * @throws HalpError HALP_LOSS
 */
export function parseLoss(text: string, { labelSmoothing, temperature }: LossDetails): readonly LossTerm[] {
  return text.split(",").map((part): LossTerm => {
    const [, factor, name = ""] = /^(?:([\d.]+)\*)?(.+)$/.exec(part.trim()) ?? [];
    const weight = factor === undefined ? {} : { weight: Number(factor) };
    if (name === "cross-entropy")
      return { kind: name, ...weight, ...(labelSmoothing === undefined ? {} : { labelSmoothing }) };
    if (name === "soft-labels") return { kind: name, ...weight, ...(temperature === undefined ? {} : { temperature }) };
    if (name === "outputs") return { kind: name, ...weight };
    if (name.startsWith("values:")) return { kind: "values", values: name.slice(7).split("+"), ...weight };
    if (name.startsWith("scores:")) return { kind: "scores", scores: name.slice(7), ...weight };
    if (name.startsWith("boxes:")) {
      const [boxes = "", scores = ""] = name.slice(6).split("+");
      if (boxes === "" || scores === "")
        throw new HalpError(
          "HALP_LOSS",
          `The boxes of a detector count where its scores find something: name both outputs, as in boxes:boxes+scores; got ${part}.`,
        );
      return { kind: "boxes", boxes, scores, ...weight };
    }
    if (/\.onnx$/i.test(name)) return { kind: "graph", model: readLoss(name), ...weight };
    throw new HalpError(
      "HALP_LOSS",
      `A loss is a list of cross-entropy, soft-labels, outputs, values:NAME+NAME, scores:NAME, boxes:NAME+NAME or FILE.onnx, each with a weight before it where that is not 1 (0.5*outputs); got ${part}.`,
    );
  });
}

function readLoss(file: string) {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new HalpError("HALP_LOSS", `Cannot read the loss ${file}: ${(cause as Error).message}.`, { file, cause });
  }
  return decodeModel(bytes);
}
