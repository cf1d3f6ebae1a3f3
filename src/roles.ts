/** What an operator may do. */

/** From the least to the most: look; change nodes; make and revoke tokens, read the audit trail. */
export const roles = ['view', 'operate', 'admin'] as const

/** One of {@link roles}. */
export type Role = (typeof roles)[number]

/** Whether a role includes what another one may do. */
export function includesRole(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed)
}
