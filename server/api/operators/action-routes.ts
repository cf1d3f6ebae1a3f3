/** The routes of actions at nodes' power: planned, started, followed, stopped. */
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ActionPlan } from '../../power/action-run.js'
import { type ActionBody, actionBody, actionParams } from './requests.js'
import { type App, describe, known, type OperatorRoutes, prefix } from './routing.js'
import { actionListSchema, actionSchema } from './schemas.js'
import type { OperatorServices } from './services.js'
import { actionView, wholeActionView } from './views.js'

/** Registers them. */
export function actionRoutes(app: App, { services }: OperatorRoutes): void {
  const api = app.withTypeProvider<ZodTypeProvider>()
  api.get(
    `${prefix}/actions`,
    describe('view', 'listActions', 'Actions that run, and the last ones, oldest first', actionListSchema),
    () => ({ actions: services.actions().map(actionView) }),
  )
  api.post(
    `${prefix}/actions`,
    describe('operate', 'startAction', 'Does something to the power of nodes', actionSchema, {
      body: actionBody,
    }),
    async ({ body, caller }) => {
      const plan = planOf(body, services)
      const author = known(caller)
      return wholeActionView(
        body.dry_run ? services.planAction(plan, author) : await services.startAction(plan, author),
      )
    },
  )
  api.get(
    `${prefix}/actions/:id`,
    describe('view', 'getAction', 'One action, node by node', actionSchema, { params: actionParams }),
    ({ params }) => wholeActionView(services.action(params.id)),
  )
  api.post(
    `${prefix}/actions/:id/stop`,
    describe('operate', 'stopAction', 'No other node of an action has its turn', actionSchema, {
      params: actionParams,
    }),
    async ({ params, caller }) => wholeActionView(await services.stopAction(params.id, known(caller))),
  )
}

/** @throws BootswarmError NODE_UNKNOWN */
function planOf(
  { kind, nodes, batch, pause_s: pauseS, failures_max: failuresMax }: ActionBody,
  services: OperatorServices,
): ActionPlan {
  const ids = nodes.map((id) => known(services.node(id)).id)
  return { kind, nodes: [...new Set(ids)], batch, pauseS, failuresMax }
}
