/** Puts the aspects of a family's operators together, so that each aspect can live in a file of its own. */
import type {
  AbsorbRule,
  ChannelRule,
  EvaluateRule,
  GradientRule,
  OperatorSpec,
  ShapeRule,
  SliceRule,
  TrainingRule,
} from "./spec.js";

type Rules<Rule> = Readonly<Record<string, Rule>>;

/** Rules by operator type. An operator is known once it has a shape rule; the other aspects may be missing. */
export interface FamilyAspects {
  readonly shapes: Rules<ShapeRule>;
  readonly evaluations?: Rules<EvaluateRule>;
  readonly channels?: Rules<ChannelRule>;
  readonly slices?: Rules<SliceRule>;
  readonly gradients?: Rules<GradientRule>;
  readonly absorptions?: Rules<AbsorbRule>;
  readonly forms?: Rules<NonNullable<OperatorSpec["forms"]>>;
  readonly learns?: Rules<readonly number[]>;
  readonly trainings?: Rules<TrainingRule>;
  /** Operators that hand their first input on unchanged. */
  readonly passesConstant?: readonly string[];
  /** Why channels are not followed through any operator of the family. */
  readonly keepsWhole?: string;
  /** Every operator of the family applies one function to each element. */
  readonly pointwise?: boolean;
}

export function assemble(aspects: FamilyAspects): OperatorSpec[] {
  return Object.entries(aspects.shapes).map(([opType, infer]) => {
    const evaluate = aspects.evaluations?.[opType];
    const channels = aspects.channels?.[opType];
    const slice = aspects.slices?.[opType];
    const gradient = aspects.gradients?.[opType];
    const absorb = aspects.absorptions?.[opType];
    const forms = aspects.forms?.[opType];
    const learns = aspects.learns?.[opType];
    const training = aspects.trainings?.[opType];
    return {
      opType,
      infer,
      ...(evaluate ? { evaluate } : {}),
      ...(channels ? { channels } : {}),
      ...(slice ? { slice } : {}),
      ...(gradient ? { gradient } : {}),
      ...(absorb ? { absorb } : {}),
      ...(forms ? { forms } : {}),
      ...(learns ? { learns } : {}),
      ...(training ? { training } : {}),
      ...(aspects.passesConstant?.includes(opType) ? { passesConstant: true } : {}),
      ...(aspects.keepsWhole === undefined ? {} : { keepsWhole: aspects.keepsWhole }),
      ...(aspects.pointwise ? { pointwise: true } : {}),
    };
  });
}
