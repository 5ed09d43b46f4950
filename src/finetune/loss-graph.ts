/** A network with its loss behind it, and a teacher beside it where the loss wants one: one graph, one scalar. */
import { didYouMean, HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { GraphBuilder } from "../graph/builder.js";
import { analyzeGraph } from "../graph/infer.js";
import type { DataType, Dim, Graph, Model, Node } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { namesOf } from "../graph/topology.js";
import { type Classifier, classifierOf } from "../operators/classifier.js";
import { type Emit, emitter } from "../operators/emit.js";
import type { FindOperator } from "../operators/spec.js";
import { isRuntimeType } from "../runtime/index.js";
import type { LabelFeed } from "./label-feeds.js";
import {
  type DetectorValues,
  emitBoxes,
  emitCrossEntropy,
  emitRelativeError,
  emitScores,
  emitSoftLabels,
  type LossTerm,
  labelsInput,
  needsLabels,
  needsTeacher,
} from "./losses.js";
import { addModel } from "./merge.js";

export interface LossGraph {
  /** Of network, teacher and loss together. */
  readonly analyzed: AnalyzedGraph;
  /** Nodes of the network alone: only they are trained. */
  readonly own: ReadonlySet<Node>;
  /** A scalar. */
  readonly loss: string;
  /** Each term times its weight, in the order of the terms. */
  readonly terms: readonly string[];
  /** The network's scores [batch, classes], where it is a classifier. */
  readonly classifier?: Classifier;
  /** Whether batches must carry labels. */
  readonly labelled: boolean;
  /** What the loss is fed of a batch's labels. */
  readonly feeds: readonly LabelFeed[];
}

/**
 * @param analyzed the network, prepared for training, at the batch size of the training
 * @param teacher the network to learn from; of the same inputs
 * @param labelDims shape of what labels one sample; default [], one class or number
 * @throws HalpError HALP_LOSS where a term does not fit the network; HALP_OPSET
 */
export function buildLossGraph(
  analyzed: AnalyzedGraph,
  terms: readonly LossTerm[],
  findOperator: FindOperator,
  teacher?: Model,
  labelDims: readonly number[] = [],
): LossGraph {
  const { model, graph } = analyzed;
  if (terms.length === 0) throw wrongLoss("A training needs a loss of at least one term.");
  const builder = new GraphBuilder(namesOf(graph));
  const e = emitter({ builder, opset: analyzed.opset });
  const classifier = classifierOf(analyzed);
  const named = terms.some(needsTeacher) ? addTeacher(builder, analyzed, teacher) : undefined;
  const feeds: LabelFeed[] = [];
  const context: TermContext = { analyzed, builder, e, classifier, teacher: named, feeds, labelDims };
  const weighted = terms.map((term) => {
    const weight = term.weight ?? 1;
    if (!Number.isFinite(weight) || weight < 0)
      throw wrongLoss(`The weight of a term of the loss is 0 or more; got ${weight}.`);
    return scaled(e, emitTerm(context, term), weight);
  });
  const loss = e.op("Identity", [weighted.reduce((a, b) => e.add(a, b))]);

  const added = builder.graph();
  const whole: Graph = {
    ...graph,
    nodes: [...graph.nodes, ...added.nodes],
    inputs: [...graph.inputs, ...added.inputs],
    initializers: [...graph.initializers, ...added.initializers],
    outputs: [],
  };
  const merged = analyzeGraph({ ...model, graph: whole }, findOperator, {
    inputDims: new Map([
      ...analyzed.inputDims,
      ...added.inputs.map((i) => [i.name, (i.dims ?? []).map(Number)] as const),
    ]),
  });
  const size = merged.types.get(loss)?.dims;
  if (!size || sizeOf(size) !== 1)
    throw wrongLoss(`The loss must be a scalar; its shape is ${size ? `[${size.join(", ")}]` : "not known"}.`);
  return {
    analyzed: merged,
    own: new Set(graph.nodes),
    loss,
    terms: weighted,
    ...(classifier ? { classifier } : {}),
    labelled: terms.some(needsLabels),
    feeds,
  };
}

interface TermContext {
  readonly analyzed: AnalyzedGraph;
  readonly builder: GraphBuilder;
  readonly e: Emit;
  readonly classifier: Classifier | undefined;
  readonly teacher: ReadonlyMap<string, string> | undefined;
  readonly feeds: LabelFeed[];
  readonly labelDims: readonly number[];
}

function emitTerm(c: TermContext, term: LossTerm): string {
  const { analyzed, e } = c;
  switch (term.kind) {
    case "cross-entropy": {
      const { logits, batch, classes } = needClassifier(c, term.kind);
      const dims = [batch, classes];
      const target = c.builder.input(c.builder.freshName("target"), dims);
      const smoothing = term.labelSmoothing ?? 0;
      if (!(smoothing >= 0 && smoothing < 1))
        throw wrongLoss(`Label smoothing is a share from 0 to below 1; got ${smoothing}.`);
      c.feeds.push({ kind: "target", name: target, dims, smoothing });
      return emitCrossEntropy(e, e.reshape(logits, [batch, classes]), target, batch);
    }
    case "soft-labels": {
      const { logits, batch, classes } = needClassifier(c, term.kind);
      const temperature = term.temperature ?? 4;
      if (!(temperature > 0)) throw wrongLoss(`The temperature is a number above 0; got ${temperature}.`);
      const rows = (z: string) => e.reshape(z, [batch, classes]);
      return emitSoftLabels(e, rows(logits), rows(ofTeacher(c, logits)), batch, temperature);
    }
    case "outputs": {
      const outputs = analyzed.graph.outputs.filter((o) => analyzed.types.get(o.name)?.dtype === "float32");
      if (outputs.length === 0) throw wrongLoss("The network has no float32 output to compare with its teacher's.");
      const errors = outputs.map((o) => relativeError(c, o.name));
      return scaled(
        e,
        errors.reduce((a, b) => e.add(a, b)),
        1 / errors.length,
      );
    }
    case "values": {
      if (term.values.length === 0) throw wrongLoss("Name at least one inner value to learn from the teacher.");
      const errors = term.values.map((name) => relativeError(c, name));
      return scaled(
        e,
        errors.reduce((a, b) => e.add(a, b)),
        1 / errors.length,
      );
    }
    case "scores":
      return emitScores(e, c.builder, detectorValues(c, term.scores, term.background));
    case "boxes": {
      const values = detectorValues(c, term.scores, term.background);
      const dims = needFloats(c, term.boxes);
      const [samples, anchors] = needFloats(c, term.scores);
      if (dims.length !== 3 || dims[0] !== samples || dims[1] !== anchors || dims[2] !== 4)
        throw wrongLoss(
          `Boxes are [samples, boxes, 4], one for each score of [${samples}, ${anchors}, classes]; "${term.boxes}" is [${dims.join(", ")}].`,
        );
      return emitBoxes(e, c.builder, term.boxes, ofTeacher(c, term.boxes), values);
    }
    case "graph":
      return emitOwnLoss(c, term.model);
  }
}

/** Never a product by 1: ONNX Runtime 1.30 loses a node where it removes one whose other factor folds to a constant. */
function scaled(e: Emit, x: string, factor: number): string {
  return factor === 1 ? e.op("Identity", [x]) : e.mul(x, e.scalar(factor));
}

function relativeError(c: TermContext, name: string): string {
  const type = c.analyzed.types.get(name);
  if (type?.dtype !== "float32") throw wrongLoss(`"${name}" is no float32 value of known shape in the network.`);
  return emitRelativeError(c.e, name, ofTeacher(c, name), type.dims);
}

function detectorValues(c: TermContext, scores: string, background: number | "none" = 0): DetectorValues {
  const dims = needFloats(c, scores);
  const classes = dims[2] ?? 0;
  if (dims.length !== 3 || classes === 0)
    throw wrongLoss(`Scores of a detector are [samples, boxes, classes]; "${scores}" is [${dims.join(", ")}].`);
  if (background !== "none" && classes > 1 && background >= classes)
    throw wrongLoss(`The background cannot be class ${background}: "${scores}" has classes 0 to ${classes - 1}.`);
  return { scores, teacherScores: ofTeacher(c, scores), classes, background };
}

/** Dims of a value of the network. */
function needFloats({ analyzed }: TermContext, name: string): readonly number[] {
  const type = analyzed.types.get(name);
  if (type?.dtype === "float32") return type.dims;
  const outputs = analyzed.graph.outputs.map((o) => o.name);
  throw wrongLoss(
    `The network has no float32 value "${name}" of known shape${didYouMean(name, outputs)} Outputs are: ${outputs.join(", ")}.`,
  );
}

/** What the teacher calls a value of the network; their shapes are held against each other when both are analysed. */
function ofTeacher({ teacher }: TermContext, name: string): string {
  const own = teacher?.get(name);
  if (own === undefined)
    throw wrongLoss(
      `The teacher has no value "${name}". Name values that both networks have, or learn from the outputs.`,
    );
  return own;
}

function needClassifier({ analyzed, classifier }: TermContext, kind: string): Classifier {
  if (classifier) return classifier;
  throw wrongLoss(
    `The loss "${kind}" needs one float32 output of [samples, classes]; this network has ${analyzed.graph.outputs.map((o) => `"${o.name}"`).join(", ")}. Learn from the outputs of the original ("outputs"), or give a loss of your own as an ONNX file.`,
  );
}

function addTeacher(
  builder: GraphBuilder,
  analyzed: AnalyzedGraph,
  teacher: Model | undefined,
): ReadonlyMap<string, string> {
  if (!teacher) throw wrongLoss("Distillation needs a teacher: give the network to learn from.");
  const weights = new Set(teacher.graph.initializers.map((t) => t.name));
  const inputs = teacher.graph.inputs.filter((i) => !weights.has(i.name)).map((i) => i.name);
  const own = [...analyzed.inputDims.keys()];
  const [only = ""] = own;
  const bound = new Map(inputs.map((name) => [name, own.includes(name) ? name : inputs.length === 1 ? only : ""]));
  if (own.length !== inputs.length || [...bound.values()].includes(""))
    throw wrongLoss(`The teacher's inputs (${inputs.join(", ")}) are not those of the network (${own.join(", ")}).`);
  return addModel(builder, analyzed.model, teacher, bound, "The teacher");
}

function emitOwnLoss(c: TermContext, model: Model): string {
  const { analyzed, builder } = c;
  const weights = new Set(model.graph.initializers.map((t) => t.name));
  const outputs = new Set(analyzed.graph.outputs.map((o) => o.name));
  const bound = new Map<string, string>();
  for (const { name, dtype, dims } of model.graph.inputs) {
    if (weights.has(name)) continue;
    if (outputs.has(name)) bound.set(name, name);
    else if (name === labelsInput) bound.set(name, labelsOf(c, dtype, dims));
    else
      throw wrongLoss(
        `The loss reads "${name}", which is no output of the network (${[...outputs].join(", ")}) and not "${labelsInput}".`,
      );
  }
  const names = addModel(builder, analyzed.model, model, bound, "The loss");
  const scalar = names.get(model.graph.outputs[0]?.name ?? "");
  if (scalar === undefined) throw wrongLoss("The loss has no output.");
  return c.e.reshape(scalar, []);
}

/** The labels of a batch, in the type that the loss wants; ones are added to their shape where its rank asks for them. */
function labelsOf(c: TermContext, dtype: DataType | undefined, wanted: readonly Dim[] | undefined): string {
  const [batch = 1] = [...c.analyzed.inputDims.values()][0] ?? [];
  const type = dtype ?? "int64";
  if ((type !== "int64" && type !== "int32" && type !== "float32") || !isRuntimeType(type))
    throw wrongLoss(`Labels are given as int64, int32 or float32; the loss wants ${type}.`);
  const given = [batch, ...c.labelDims];
  const dims = [...given, ...new Array<number>(Math.max(0, (wanted?.length ?? 0) - given.length)).fill(1)];
  if (
    wanted &&
    (wanted.length !== dims.length || wanted.some((d, i) => i > 0 && typeof d === "number" && d !== dims[i]))
  )
    throw wrongLoss(
      `The loss takes labels of the shape [${wanted.join(", ")}]; the data give [${given.join(", ")}] a batch. Give such labels, or change the loss.`,
    );
  const input = c.builder.input(c.builder.freshName(labelsInput), dims, type);
  c.feeds.push({ kind: "labels", name: input, dims, dtype: type });
  return input;
}

function wrongLoss(message: string): HalpError {
  return new HalpError("HALP_LOSS", message);
}
