/** The exit code of a command that failed (docs/cli.md). Pure. */
import type { ErrorCode } from '../src/errors.js'

const codes: Partial<Record<ErrorCode, number>> = {
  USAGE_INVALID: 2,
  SERVER_NOT_RUNNING: 3,
  SERVER_UNREACHABLE: 3,
  ROLE_TOO_LOW: 4,
  SERVER_KEY_CHANGED: 4,
  SERVER_KEY_UNKNOWN: 4,
  SOCKET_NOT_ALLOWED: 4,
  TLS_FAILED: 4,
  TOKEN_INVALID: 4,
  TOKEN_MISSING: 4,
  TOKEN_TRIES_TOO_MANY: 4,
}

/** 1 failed, 2 wrong arguments, 3 no server, 4 not allowed or not trusted. */
export function exitCodeOf(code: ErrorCode): number {
  return codes[code] ?? 1
}
