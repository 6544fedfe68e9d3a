// Runs in the x86-64 lab, on a KVM that is a processor's own: every promise and every selftest. Prints what came of them.
import { kvmConformance } from '../../../src/conformance.js'
import { openKvm } from '../../../src/linux.js'
import '../../selftests/exits.test.js'
import '../../selftests/loop.test.js'
import '../../selftests/memory.test.js'
import '../../selftests/requests.test.js'
import '../../selftests/vcpus.test.js'
import { must, report } from './report.js'
import { describe, expect, it, runPlanned } from './small-runner.js'

kvmConformance('conformance', () => must(openKvm()), { describe, it, expect: expect as never })
report(await runPlanned())
