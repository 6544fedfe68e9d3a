// Builds prebuilds/ARCH/agent with the C compiler of that architecture: node build-agent.mjs [ARCH…]
// Does nothing when the agent is newer than its sources. CC overrides.
import { execFileSync } from 'node:child_process'
import { arch } from 'node:process'
import { fileURLToPath } from 'node:url'

const compilers = {
  x86_64: 'x86_64-linux-gnu-gcc',
  aarch64: 'aarch64-linux-gnu-gcc',
  powerpc64le: 'powerpc64le-linux-gnu-gcc',
  riscv64: 'riscv64-linux-gnu-gcc',
}
const own = { x64: 'x86_64', arm64: 'aarch64', ppc64: 'powerpc64le', riscv64: 'riscv64' }[arch]
const wanted = process.argv.slice(2)

for (const architecture of wanted.length > 0 ? wanted : [own]) {
  if (!Object.hasOwn(compilers, architecture)) {
    console.error(`no agent for ${architecture}: one of ${Object.keys(compilers).join(', ')}`)
    process.exit(2)
  }
  const compiler = process.env.CC ?? (architecture === own ? 'cc' : compilers[architecture])
  const out = fileURLToPath(new URL(`prebuilds/${architecture}`, import.meta.url))
  const directory = fileURLToPath(new URL('agent', import.meta.url))
  try {
    execFileSync('make', ['--silent', '-C', directory, `CC=${compiler}`, `OUT=${out}`], { stdio: 'inherit' })
  } catch {
    console.error(`the agent for ${architecture} was not built: is ${compiler} installed (build-essential)?`)
    process.exit(1)
  }
  console.log(`prebuilds/${architecture}/agent`)
}
