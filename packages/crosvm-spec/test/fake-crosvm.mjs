#!/usr/bin/env node
// The fake's executable from its sources: tests must not run against a stale build.
import { fileURLToPath } from 'node:url'
import { register } from 'tsx/esm/api'

register({ tsconfig: fileURLToPath(new URL('../../../tsconfig.base.json', import.meta.url)) })
await import('../src/linux/fake-crosvm.ts')
