/** Which machines may boot (`admit`). Pure. */

/** The values of `admit`. */
export const admitModes = ['any', 'known', 'approved'] as const
/** One of them. */
export type AdmitMode = (typeof admitModes)[number]

/** What is known of a machine. */
export interface Candidate {
  /** The configuration names it, by its identity or its MAC. */
  readonly isNamed: boolean
  readonly hasBooted: boolean
  /** An operator approved it. */
  readonly isApproved: boolean
}

/** Whether a machine may boot. */
export function isAdmitted(mode: AdmitMode, { isNamed, hasBooted, isApproved }: Candidate): boolean {
  return mode === 'any' || isNamed || isApproved || (mode === 'known' && hasBooted)
}
