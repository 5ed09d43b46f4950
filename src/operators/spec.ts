/**
 * What halp knows of an operator. One folder per family; each operator has one {@link OperatorSpec}, put together in the
 * family's `index.ts` from `shape.ts` (shapes, constant folding), `channels.ts` (coupling), `slice.ts` (rewriting) and
 * `gradient.ts`. An aspect that is missing makes halp careful, never wrong: no `channels` freezes what passes through,
 * no `gradient` ends the search for a gradient with a reason.
 */

import type { ValueType } from "../graph/analysis.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Node, Tensor } from "../graph/ir.js";
import type { Emit } from "./emit.js";

export interface InferContext {
  readonly node: Node;
  /** Version of the node's domain. */
  readonly opset: number;
  /** Types of the inputs; undefined where the input is left out or unknown. */
  readonly inputs: readonly (ValueType | undefined)[];
  /** Values of the inputs that are known before the run (initialisers, Constant nodes, folded shape arithmetic). */
  readonly constants: readonly (Tensor | undefined)[];
}

/** Types of the outputs, undefined where they cannot be told. @throws HalpError HALP_SHAPE where the inputs do not fit. */
export type ShapeRule = (c: InferContext) => readonly (ValueType | undefined)[] | undefined;

/** Values of the outputs where all are known: for shape arithmetic (integers, small tensors). Undefined: not folded. */
export type EvaluateRule = (c: InferContext) => readonly Tensor[] | undefined;

/**
 * One id per position along an axis. Positions with the same id live and die together; ids are joined as coupling goes
 * on. Null: the axis has a fixed extent (batch, space, or an axis of extent 1 that is broadcast).
 */
export type AxisLabels = Int32Array | null;

export interface ChannelContext {
  readonly node: Node;
  readonly opset: number;
  /** Type of a value; undefined where it is unknown. */
  type(name: string): ValueType | undefined;
  /** Known value: initialiser, Constant node or folded. */
  constant(name: string): Tensor | undefined;
  /** Labels of an axis of a value (activation or constant); axis may be negative. */
  labels(name: string, axis: number): AxisLabels;
  /** Sets the labels of an axis; where it has labels already, both are joined. Null freezes what was there. */
  setLabels(name: string, axis: number, labels: AxisLabels): void;
  /** New, independent labels for an axis whose positions are born here (the output channels of a convolution). */
  fresh(count: number): Int32Array;
  /** The channels with these labels are born at this node: it weighs them, and their importance is taken at its output. */
  produces(labels: AxisLabels): void;
  /** This node sums over the channels with these labels. */
  consumes(labels: AxisLabels): void;
  /** The two axes must keep the same positions. Null joins as frozen. Lengths must be equal. */
  join(a: AxisLabels, b: AxisLabels): void;
  /** Nothing of it may be removed; the reason is shown to the user. */
  freeze(labels: AxisLabels, reason: string): void;
  /**
   * For an operator that splits an axis, as into attention heads [heads, width]: which of the two new axes the user wants
   * channels to go from; undefined where nothing was asked for. Only to be called where there is such a choice.
   */
  wantedSplit(): "heads" | "head-width" | undefined;
}

/** Joins labels of the inputs, gives labels to the outputs. Runs in topological order. */
export type ChannelRule = (c: ChannelContext) => void;

export interface SliceContext {
  readonly node: Node;
  readonly opset: number;
  /** Type before the rewriting. */
  type(name: string): ValueType | undefined;
  constant(name: string): Tensor | undefined;
  /** Old positions that stay along an axis, ascending; undefined where all stay. */
  kept(name: string, axis: number): Int32Array | undefined;
  /** Adds a constant and returns its name. */
  addConstant(tensor: Tensor): string;
  /**
   * Name of a vector of integers that equals `name` but for the given entries. A constant is made anew; what is computed
   * at run time keeps being computed, and only the given entries are overwritten.
   */
  replaceEntries(name: string, entries: ReadonlyMap<number, number>): string;
  /** A name that no value has. */
  freshName(hint: string): string;
}

/**
 * The node(s) after channels are gone. Constants that carry labels are cut by the engine; a rule is needed only where
 * attributes or shape inputs speak of the channels (Conv group, Reshape, Split, Slice, Pad, ...).
 */
export type SliceRule = (c: SliceContext) => Node | readonly Node[];

/** Ways to make one value from others, by name, the plain one first. All make the same but for rounding. */
export type Forms = Readonly<Record<string, (e: Emit, inputs: readonly string[]) => string>>;

/** A value that can be made in several ways; which is the fastest depends on the sizes and on the machine. */
export interface FormTask {
  /** What is made, with everything that matters but the dims of the inputs. */
  readonly key: string;
  /** All float32. */
  readonly inputs: readonly FormInput[];
  /** Channels of what is made, where that is images. */
  readonly images?: number;
  readonly forms: Forms;
}

export interface FormInput {
  readonly value: string;
  readonly dims: readonly number[];
  /** [batch, channels, rows, columns]: these, and those that are made, may be at hand, and be wanted, in blocks. */
  readonly isImages?: boolean;
}

/** Names the form to take. */
export interface ChooseForm {
  (task: FormTask): string;
  /** Channels of a block in ONNX Runtime's blocked layout on this machine; undefined where it has none. */
  readonly blockSize?: number | undefined;
}

export interface GradientContext {
  readonly node: Node;
  readonly opset: number;
  readonly builder: GraphBuilder;
  type(name: string): ValueType | undefined;
  constant(name: string): Tensor | undefined;
  /** Whether the gradient of input i is asked for. */
  wants(input: number): boolean;
  /** Gradient of output i, or undefined where nothing depends on it. */
  outputGradient(output: number): string | undefined;
  /** Absent: the plain form is taken everywhere. */
  readonly choose?: ChooseForm;
}

/**
 * Emits standard ONNX nodes through `builder` and returns the name of the gradient of each wanted input (same shape as
 * the input), undefined for the others.
 */
export type GradientRule = (c: GradientContext) => readonly (string | undefined)[];

/** What a network does with an operator while it is being trained, where that differs from inference. */
export interface TrainingForm {
  /** Stands in the node's place; what it reads besides was made with the builder. */
  readonly node: Node;
  /** The gradient of `node`, all that it reads of the batch counted in. */
  readonly gradient: GradientRule;
  /** Running statistics, by initialiser: each becomes momentum * running + (1 - momentum) * batch, a value of the same shape. */
  readonly statistics: readonly { readonly running: string; readonly batch: string; readonly momentum: number }[];
}

export interface TrainingRule {
  /** Input slots that hold running statistics. */
  readonly statistics: readonly number[];
  form(c: Omit<GradientContext, "wants" | "outputGradient">): TrainingForm;
}

export interface AbsorbContext {
  readonly node: Node;
  type(name: string): ValueType | undefined;
  constant(name: string): Tensor | undefined;
}

/** What input channels that hold one value each, everywhere, come to at the output of a layer that sums over them. */
export interface Absorption {
  /** Axis of the first input that is summed over. Not negative. */
  readonly inputAxis: number;
  /** Axis of the output along which its channels lie. Not negative. */
  readonly outputAxis: number;
  /** Input slot that holds an addend for each output channel, and how often it is added; undefined without such an input. */
  readonly bias?: { readonly slot: number; readonly factor: number };
  /** Whether it comes to the same at every position of the output; zero padding makes borders differ. */
  readonly uniform: boolean;
  /**
   * @param values what each position along `inputAxis` holds
   * @returns what is added to each channel of the output: the mean over its positions, bias not counted.
   */
  added(values: Float64Array): Float64Array;
}

/** Undefined where the layer cannot take up constants (weights that are computed at run time). */
export type AbsorbRule = (c: AbsorbContext) => Absorption | undefined;

export type FormsContext = Pick<GradientContext, "node" | "opset" | "type" | "constant"> &
  Pick<ChooseForm, "blockSize">;

/** What is known of an operator, by type and domain; undefined: nothing. */
export type FindOperator = (opType: string, domain: string) => OperatorSpec | undefined;

export interface OperatorSpec {
  readonly opType: string;
  /** "" unless said otherwise. */
  readonly domain?: string;
  readonly infer: ShapeRule;
  readonly evaluate?: EvaluateRule;
  readonly channels?: ChannelRule;
  readonly slice?: SliceRule;
  readonly gradient?: GradientRule;
  /** Other ways to compute its one output where its weights are fed; undefined where there are none. */
  readonly forms?: (c: FormsContext) => FormTask | undefined;
  /** Input slots that hold what is learnt, where they are initialisers. */
  readonly learns?: readonly number[];
  readonly training?: TrainingRule;
  /** For layers that are linear in their first input and sum over its channels. */
  readonly absorb?: AbsorbRule;
  /** Why channels are not followed through it, where that is meant to be so. */
  readonly keepsWhole?: string;
  /** Hands its first input on unchanged, so that a constant stays the same constant under another name (Identity). */
  readonly passesConstant?: boolean;
  /** Applies one function to each element (with broadcasting): constants per channel stay constants per channel. */
  readonly pointwise?: boolean;
}
