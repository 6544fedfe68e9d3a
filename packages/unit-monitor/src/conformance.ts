/**
 * What every driver of a monitor keeps, as one suite for vitest or jest.
 *
 * @packageDocumentation
 */

import type { ConformanceContext, TestApi } from './conformance/context.js'
import { promisesOfDescriptions } from './conformance/descriptions.js'
import { promisesOfDevices } from './conformance/devices.js'
import { promisesOfHotPlug } from './conformance/hot-plug.js'
import { promisesOfLife } from './conformance/life.js'
import { promisesOfLog } from './conformance/log.js'
import { suiteOf } from './conformance/suite.js'

export type { ConformanceContext, ConformanceView, TestApi } from './conformance/context.js'
export { echoGuest, type FakeDisks } from './echo-guest.js'

/** What every driver promises, as tests. A driver that passes can stand wherever another one stands. */
export function monitorConformance(
  name: string,
  makeContext: () => Promise<ConformanceContext>,
  api: TestApi,
): void {
  api.describe(`${name} keeps the promises of a monitor`, () => {
    const suite = suiteOf(makeContext, api)
    promisesOfLife(suite)
    promisesOfDevices(suite)
    promisesOfHotPlug(suite)
    promisesOfLog(suite)
    promisesOfDescriptions(suite)
  })
}
